"""`manage.py audit`: is every payment accounted for exactly once?"""

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from payments import gateway
from payments.audit import checks, fixes, stripe_side
from payments.audit.sql import Offender
from shop.clock import now

# In the text; JSON has them all.
_SHOWN = 20


class Command(BaseCommand):
    help = "Checks every invariant in the database, and with --stripe the ledger against Stripe."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--stripe", action="store_true", help="compare the ledger with Stripe")
        parser.add_argument("--json", action="store_true", help="print JSON, with every offender")
        parser.add_argument(
            "--fix", action="store_true", help="mend what is provably safe, and check again"
        )

    def handle(self, *, stripe: bool, json: bool, fix: bool, **options: Any) -> None:
        """Print each check with its count and offenders.

        Exits with 1 when anything is wrong, with 2 when Stripe could not be asked.
        """
        if fix:
            self._mend()
        report = self._report_json if json else self._report_text
        try:
            broken = report(stripe)
        except gateway.GatewayError as error:
            raise CommandError(_unasked(error), returncode=2) from error
        if broken:
            sys.exit(1)

    def _mend(self) -> None:
        for check in checks.CHECKS:
            if any(True for _ in checks.offenders(check, at=now())):
                for done in fixes.fix(check.name, at=now()):
                    self.stderr.write(f"mended: {done}")

    def _findings(self, with_stripe: bool) -> Iterator[tuple[str, int, str, Iterator[Offender]]]:
        """Return name, invariant, title and offenders of each check, one after the other."""
        number = len(checks.CHECKS) + with_stripe
        for place, check in enumerate(checks.CHECKS, start=1):
            self._progress(f"{place}/{number} {check.title} ...")
            yield check.name, check.invariant, check.title, checks.offenders(check, at=now())
        if with_stripe:
            title = "the ledger is what Stripe says"
            self._progress(f"{number}/{number} {title} ...")
            drift = stripe_side.drift(at=now(), progress=self._progress)
            yield "stripe", 5, title, drift

    def _progress(self, text: str) -> None:
        self.stderr.write(f"{time.strftime('%H:%M:%S')} {text}")

    def _report_text(self, with_stripe: bool) -> int:
        broken = 0
        for name, invariant, title, found in self._findings(with_stripe):
            count = 0
            for count, offender in enumerate(found, start=1):
                if count == 1:
                    self.stdout.write(self.style.ERROR(f"WRONG {invariant} {name}: {title}"))
                if count <= _SHOWN:
                    self.stdout.write(f"  {offender.what}: {offender.why}")
            if count > _SHOWN:
                self.stdout.write(f"  and {count - _SHOWN} more (--json lists all)")
            if not count:
                self.stdout.write(f"ok    {invariant} {name}: {title}")
            broken += bool(count)
        verdict = f"{broken} of the checks found something." if broken else "All is as it must be."
        self.stdout.write(verdict)
        return broken

    def _report_json(self, with_stripe: bool) -> int:
        """Write one JSON object piece by piece, so that a million offenders fit in no memory."""
        broken = 0
        write = self.stdout.write
        write('{"checks": [', ending="")
        for place, (name, invariant, title, found) in enumerate(self._findings(with_stripe)):
            head = json.dumps({"name": name, "invariant": invariant, "title": title})
            write(f'{"," if place else ""}\n{head[:-1]}, "offenders": [', ending="")
            count = 0
            try:
                for count, offender in enumerate(found, start=1):
                    said = json.dumps({"what": offender.what, "why": offender.why})
                    write(f"{',' if count > 1 else ''}\n  {said}", ending="")
            except gateway.GatewayError as error:
                # Without a count: this one was not checked.
                write(f']}}\n], "ok": false, "error": {json.dumps(_unasked(error))}}}')
                raise
            write(f'], "count": {count}}}', ending="")
            broken += bool(count)
        write(f'\n], "ok": {json.dumps(not broken)}}}')
        return broken


def _unasked(error: gateway.GatewayError) -> str:
    return f"Stripe could not be asked: {type(error).__name__}."
