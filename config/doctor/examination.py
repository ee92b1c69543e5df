"""How checks are run: one after the other, and none whose ground another found to be missing."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from uuid import uuid4

from djstripe.models import WebhookEndpoint

from payments import gateway
from payments.services import endpoints


class Verdict(StrEnum):
    OK = "ok"
    WRONG = "WRONG"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; a fault has a remedy, a note is only worth knowing."""

    what: str
    remedy: str = ""


class CannotTell(Exception):
    """A check has no way to find out; the message says why."""


@dataclass
class Visit:
    """What one examination was told, and what several of its checks go by, asked for once."""

    patience_seconds: float = 30
    mail_to: str = ""
    event_id: str = field(default_factory=lambda: f"evt_doctor_{uuid4().hex}")

    @cached_property
    def account(self) -> gateway.Account | None:
        """Our account at Stripe; None when the key may not read it."""
        try:
            return gateway.own_account()
        except gateway.NotAllowed:
            return None

    @property
    def known_account(self) -> gateway.Account:
        """The same; raises CannotTell."""
        if self.account is None:
            raise CannotTell("STRIPE_SECRET_KEY is restricted and may not read the account")
        return self.account

    @cached_property
    def endpoint(self) -> WebhookEndpoint | None:
        """The row of the endpoint by which events come in."""
        return endpoints.in_use()


@dataclass(frozen=True, slots=True)
class Check:
    """`title` is what holds when all is well; `needs` are the names of checks to be well first."""

    name: str
    title: str
    look: Callable[[Visit], Iterable[Finding]]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    title: str
    verdict: Verdict
    findings: tuple[Finding, ...] = ()


def examine(
    checks: Sequence[Check], visit: Visit, *, tell: Callable[[str], None] = lambda title: None
) -> Iterator[Result]:
    """Run the checks; `tell` is told of each before it is run."""
    unwell: set[str] = set()
    for place, check in enumerate(checks, start=1):
        tell(f"{place}/{len(checks)} {check.title}")
        result = _run(check, visit, unwell)
        if result.verdict is not Verdict.OK:
            unwell.add(check.name)
        yield result


def _run(check: Check, visit: Visit, unwell: set[str]) -> Result:
    if missing := [name for name in check.needs if name in unwell]:
        return _note(check, f"Not checked: first see to {' and '.join(missing)}.")
    try:
        findings = tuple(check.look(visit))
    except CannotTell as reason:
        return _note(check, f"Cannot be told: {reason}.")
    except gateway.NotAllowed:
        return _note(check, "Cannot be told: STRIPE_SECRET_KEY is restricted and may not read it.")
    except gateway.GatewayError as error:
        remedy = "See status.stripe.com and the log, then run this again."
        fault = Finding(f"Stripe did not answer as it should ({type(error).__name__}).", remedy)
        return Result(check.name, check.title, Verdict.WRONG, (fault,))
    is_wrong = any(finding.remedy for finding in findings)
    return Result(check.name, check.title, Verdict.WRONG if is_wrong else Verdict.OK, findings)


def _note(check: Check, text: str) -> Result:
    return Result(check.name, check.title, Verdict.NOTE, (Finding(text),))
