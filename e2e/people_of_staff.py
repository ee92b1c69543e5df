"""People of each role in the demo's database, and an event that waits for a person's word."""

from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal import auth
from django.contrib.auth.models import Group

from accounts.models import User
from e2e.steps import PASSWORD
from payments.models import InboxEvent

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
# Who signs in with two steps.
CAREFUL = "careful@example.com"


def make() -> None:
    """Make one of each role, like support@example.com, and a manager with an app for codes."""
    for group in Group.objects.all():
        _make(f"{group.name.lower()}@example.com", group)
    auth.TOTP.activate(_make(CAREFUL, Group.objects.get(name="Manager")), SECRET)


def _make(email: str, group: Group) -> User:
    user = User.objects.create_user(email, PASSWORD, is_staff=True)
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    user.groups.add(group)
    return user


def show_code() -> None:
    """Print what the app of the careful one shows now."""
    (counter,) = auth.yield_hotp_counters_from_time()
    print(auth.format_hotp_value(auth.hotp_value(SECRET, counter)))


def fail_an_event(number: str) -> None:
    """Have the latest event of an order look as if it had failed; print its id."""
    event = InboxEvent.objects.filter(order__number=number).latest("pk")
    event.state, event.last_error = InboxEvent.State.FAILED, "Unreachable: no answer"
    event.finished_at = None
    event.save()
    print(event.event_id)
