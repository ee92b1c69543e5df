"""`manage.py doctor`: is all set for taking money?"""

import json
import sys
import time
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from config.doctor import CHECKS, Result, Verdict, Visit, examine


class Command(BaseCommand):
    help = (
        "Checks keys, account, webhook, worker, mail, clock and HTTPS end to end, and names each "
        "fault with its remedy. Exit code 1 on any fault."
    )
    # A broken setting is a fault to be named, not a reason not to start.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--mail", metavar="ADDRESS", default="", help="send a mail there, too")
        parser.add_argument("--json", dest="as_json", action="store_true", help="print JSON")
        parser.add_argument(
            "--seconds",
            type=float,
            default=30,
            help="to wait for the worker (%(default)s)",
        )

    def handle(self, *, mail: str, as_json: bool, seconds: float, **options: Any) -> None:
        visit = Visit(patience_seconds=seconds, mail_to=mail)
        results = []
        for result in examine(CHECKS, visit, tell=self._progress):
            results.append(result)
            if not as_json:
                self._tell(result)
        faults = sum(result.verdict is Verdict.WRONG for result in results)
        if as_json:
            said = {"ok": not faults, "checks": [asdict(result) for result in results]}
            self.stdout.write(json.dumps(said, indent=2))
        else:
            self.stdout.write(
                f"{faults} of the checks found a fault." if faults else "All is well."
            )
        if faults:
            sys.exit(1)

    def _progress(self, title: str) -> None:
        self.stderr.write(f"{time.strftime('%H:%M:%S')} {title} ...", lambda text: text)

    def _tell(self, result: Result) -> None:
        if result.verdict is Verdict.OK:
            self.stdout.write(f"ok    {result.name}: {result.title}")
        for finding in result.findings:
            if finding.remedy:
                self.stdout.write(self.style.ERROR(f"WRONG {result.name}: {finding.what}"))
                self.stdout.write(f"      {finding.remedy}")
            else:
                self.stdout.write(f"note  {result.name}: {finding.what}")
