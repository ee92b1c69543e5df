"""Erasing a person: nothing of his is left anywhere, and the books stay as they are."""

import re
import signal
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from unittest.mock import ANY
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.core import mail
from django.db import connection
from django.test import Client
from django.urls import reverse
from djstripe.models import Charge
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.models import User
from accounts.tests.factories import UserFactory
from backoffice import erasing
from backoffice.audit import acting
from backoffice.customers import customer_of
from backoffice.models import Erasure
from backoffice.services import write_note
from backoffice.tests.person import (
    ADDRESS,
    EMAIL,
    NAME_AT_STRIPE,
    TEXTS,
    Person,
    rich_history,
    traces,
)
from cart.models import CartLine
from orders.models import Order, OrderMail, Review
from orders.tests.factories import PendingOrderFactory
from payments.models import InboxEvent, Refund, RefundRequest
from payments.queue import enqueue
from payments.services.erasing import StillCopied
from payments.tests import money_back, support
from payments.tests.audits import audit
from payments.tests.guests import holder_of
from payments.tests.processes import run_code
from payments.tests.snapshots import everything
from shop.tests.factories import VariantFactory
from shop.tests.guards import append_only_tables

pytestmark = pytest.mark.django_db


@pytest.fixture
def person(sandbox: Any, boss: User, settings: Any) -> Person:
    settings.REFUND_LIMIT_MINOR = 100_00
    return rich_history(sandbox, boss)


def erase(boss: User, email: str = EMAIL) -> Erasure:
    """Erase as staff do, and have the job run."""
    with acting(user_id=boss.pk, how="a test", address="192.0.2.1"):
        erasure = erasing.begin(
            customer=customer_of(email),
            why=Erasure.Why.REQUEST,
            by=boss,
            key=uuid4(),
            at=support.stripe_now(),
        )
    support.run_jobs(but=())
    erasure.refresh_from_db()
    return erasure


def append_only_rows() -> dict[str, list[str]]:
    """Return every row of the tables that are never changed, as text."""
    apps = ("backoffice", "orders", "payments", "shop")
    tables = sorted(table for app in apps for table in append_only_tables(app))
    rows = {}
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" t ORDER BY id')
            rows[table] = [text for (text,) in cursor]
    return rows


def test_no_text_of_an_erased_person_is_left_in_any_table(person: Person, boss: User) -> None:
    before = traces(*TEXTS)

    erasure = erase(boss)

    assert {text for texts in before.values() for text in texts} == set(TEXTS)
    assert traces(*TEXTS) == {}
    assert erasure.finished_at is not None
    assert sorted(erasure.order_ids) == sorted(order.pk for order in person.orders.values())


def test_the_books_and_whatever_is_append_only_stay_byte_for_byte(
    person: Person, boss: User
) -> None:
    before = append_only_rows()
    assert all(before[table] for table in ("orders_orderevent", "payments_ledgerentry"))

    erase(boss)

    after = append_only_rows()
    # The erasing itself is a change by staff, and logged as one.
    changes = after["backoffice_auditentry"]
    after["backoffice_auditentry"] = changes[: len(before["backoffice_auditentry"])]
    assert after == before
    assert len(changes) > len(before["backoffice_auditentry"])
    assert audit("--stripe") == (0, ANY)
    order = support.reread(person.orders["sent"])
    assert (order.status, order.total_minor, order.lines.get().quantity) == ("fulfilled", 120_00, 2)
    assert order.shipping_address == {"country": "GB"}
    assert order.email == f"erased-{person.user.public_id}@erased.invalid"


def test_nobody_signs_in_to_an_erased_account_whose_row_stays(person: Person, boss: User) -> None:
    erase(boss)

    user = User.objects.get(pk=person.user.pk)
    assert (user.name, user.is_active, user.has_usable_password()) == ("", False, False)
    assert user.email == f"erased-{user.public_id}@erased.invalid"
    assert not EmailAddress.objects.exists()
    assert not Authenticator.objects.exists()
    assert not CartLine.objects.filter(cart__user=user).exists()
    assert {order.user_id for order in Order.objects.all()} == {user.pk, None}
    # Whoever comes again is somebody new.
    assert UserFactory(email=EMAIL).pk != user.pk


def test_what_others_have_stays(person: Person, sandbox: Any, boss: User) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()), buyer=support.a_buyer())
    sandbox.pay(attempt.url, email="reader@example.com")
    support.hear(reversed(sandbox.events()), but=())
    write_note(email="reader@example.com", text="Kind", by=1, key=uuid4(), at=support.stripe_now())
    before = traces("reader@example.com")
    tables = {"orders_order", "payments_inboxevent", "djstripe_session", "backoffice_customernote"}

    erase(boss)

    assert traces("reader@example.com") == before
    assert tables <= set(before)
    assert support.reread(attempt.order).shipping_address["city"] == "Berlin"


def test_a_form_that_is_sent_twice_erases_once_and_the_job_may_be_repeated(
    person: Person, boss: User
) -> None:
    key, customer, at = uuid4(), customer_of(EMAIL), support.stripe_now()
    asked: dict[str, Any] = {"why": "request", "by": boss, "key": key, "at": at}
    first = erasing.begin(customer=customer, **asked)
    support.run_jobs(but=())
    before = everything()

    again = erasing.begin(customer=customer, **asked)
    erasing.finish(erasure_id=again.pk, at=support.stripe_now())
    Erasure.objects.update(finished_at=None)
    erasing.finish(erasure_id=again.pk, at=Erasure.objects.get().asked_at)

    assert again == first
    Erasure.objects.update(finished_at=first.asked_at)
    assert {**everything(), "backoffice.Erasure": []} == {**before, "backoffice.Erasure": []}


def test_a_copy_that_is_being_made_is_waited_for(person: Person, boss: User) -> None:
    erasing.begin(
        customer=customer_of(EMAIL), why="request", by=boss, key=uuid4(), at=support.stripe_now()
    )
    event = InboxEvent.objects.filter(order=person.orders["sent"])[0]
    enqueue("mirror_event", inbox_id=event.pk)
    copying = ProcrastinateJob.objects.filter(task_name="payments.tasks.mirror_event")
    copying.update(status="doing")

    with pytest.raises(StillCopied):
        erasing.finish(erasure_id=Erasure.objects.get().pk, at=support.stripe_now())

    assert Erasure.objects.get().finished_at is None
    assert Charge.objects.exists()
    copying.update(status="succeeded")
    support.run_jobs(but=())
    assert traces(*TEXTS) == {}


def test_an_erasure_that_lost_its_job_gets_one_other(person: Person, boss: User) -> None:
    at = support.stripe_now()
    erasing.begin(customer=customer_of(EMAIL), why="request", by=boss, key=uuid4(), at=at)
    jobs = ProcrastinateJob.objects.filter(task_name="backoffice.tasks.finish_erasure")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")

    erasing.resume(at=at + timedelta(minutes=10))
    assert jobs.count() == 0
    for _ in range(2):
        erasing.resume(at=at + timedelta(minutes=10, seconds=1))

    assert jobs.count() == 1
    support.run_jobs(but=())
    assert traces(*TEXTS) == {}
    erasing.resume(at=at + timedelta(days=1))
    assert jobs.count() == 0


def test_news_after_erasing_brings_nothing_back(person: Person, sandbox: Any, boss: User) -> None:
    erase(boss)
    mail.outbox.clear()

    sandbox.dispute(money_back.intent_of(person.orders["sent"]), amount=10_00)
    support.hear(reversed(sandbox.events()), but=())
    money_back.ask(person.orders["disputed"], 10_00)
    support.run_jobs(but=())
    support.hear(reversed(sandbox.events()), but=())

    assert person.orders["sent"].disputes.exists()
    assert person.orders["disputed"].refunds.get().state == "succeeded"
    assert traces(*TEXTS) == {}
    # Staff hear of the dispute, the buyer of nothing; no mail is owed any more.
    assert [message.to for message in mail.outbox] == [["staff@example.com"]]
    assert not OrderMail.objects.filter(sent_at=None).exists()


def test_pages_of_erased_orders_show_the_country_alone(
    person: Person, boss: User, staff: Client
) -> None:
    erase(boss)

    for order in map(support.reread, person.orders.values()):
        pages = [
            staff.get(reverse(f"admin:orders_order_{page}", args=[order.pk]))
            for page in ("change", "packing_slip", "invoice", "send_again")
        ]
        shown = holder_of(order).get(f"orders/{order.number}/").json()
        assert [page.status_code for page in pages] == [200] * 4
        assert "United Kingdom" in pages[0].content.decode()
        assert "United Kingdom" in support.text_of_page(order)
        assert shown["shipping_address"] == dict.fromkeys(ADDRESS, "") | {"country": "GB"}


def cannot_erase(email: str = EMAIL) -> str:
    """Try to erase, and return why that is refused; nothing is written then."""
    boss = User.objects.get(email="boss@example.com")
    before = everything()
    with pytest.raises(erasing.CannotErase) as refusal:
        erasing.begin(
            customer=customer_of(email),
            why="request",
            by=boss,
            key=uuid4(),
            at=support.stripe_now(),
        )
    assert everything() == before
    return str(refusal.value)


def test_an_order_that_waits_or_is_to_be_sent_needs_its_buyer(sandbox: Any, boss: User) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    number = attempt.order.number

    assert cannot_erase("Reader@example.com") == (
        f"Order {number} waits for its payment: cancel it first. "
        f"Order {number} has a payment that can still be made, or is on its way."
    )
    support.pay_and_hear(sandbox, attempt)

    assert cannot_erase("reader@example.com") == (
        f"Order {number} is still to be handed over, or to be refunded."
    )


def _dispute(order: Order) -> None:
    support.dispute_row(order, "du_1")


def _review(order: Order) -> None:
    Review.objects.create(order=order, reason="late", cause="ch_1", opened_at=order.placed_at)


def _refund(order: Order) -> None:
    Refund.objects.create(
        order=order,
        charge_id="ch_1",
        intent_id="pi_1",
        amount_minor=1,
        currency="EUR",
        source="staff",
        why="other",
        created_at=order.placed_at,
    )


def _asked_refund(order: Order) -> None:
    RefundRequest.objects.create(
        key=uuid4(),
        order=order,
        charge_id="ch_1",
        amount_minor=1,
        currency="EUR",
        why="other",
        asked_by_id=1,
        asked_at=order.placed_at,
    )


def _event(order: Order) -> None:
    _inbox_row(order=order)


def _inbox_row(**fields: Any) -> InboxEvent:
    return InboxEvent.objects.create(
        event_id="evt_1",
        type="charge.updated",
        livemode=False,
        source="webhook",
        received_at=support.stripe_now(),
        state="failed",
        **{"payload": {}} | fields,
    )


@pytest.mark.parametrize(
    ("happen", "why"),
    [
        (_dispute, "has an open dispute"),
        (_review, "has an open review"),
        (_refund, "has a refund that is on its way"),
        (_asked_refund, "has a refund that waits for approval"),
        (_event, "has an unprocessed event: see the inbox"),
    ],
)
def test_what_is_not_at_its_end_is_waited_for(
    boss: User, happen: Callable[[Order], None], why: str
) -> None:
    order = PendingOrderFactory()
    Order.objects.filter(pk=order.pk).update(status="canceled")
    happen(order)

    assert cannot_erase("reader@example.com") == f"Order {order.number} {why}."


def test_an_unprocessed_event_that_names_the_address_is_waited_for(boss: User) -> None:
    UserFactory(email=EMAIL)
    event = _inbox_row(payload={"email": EMAIL})

    assert cannot_erase() == "Event evt_1 names this address and is not processed: see the inbox."
    InboxEvent.objects.update(state="ignored")
    erase(boss)

    event.refresh_from_db()
    assert event.payload is None


@pytest.mark.parametrize("rights", [{"is_staff": True}, {"is_superuser": True}])
def test_staff_are_not_erased_before_their_rights_are_taken_away(
    boss: User, rights: dict[str, bool]
) -> None:
    UserFactory(email=EMAIL, **rights)

    assert cannot_erase().startswith(f"{EMAIL} is one of the staff: take the rights away first")


def test_nobody_is_erased_of_whom_nothing_is_known(boss: User) -> None:
    assert cannot_erase() == f"Nothing is known of {EMAIL}."


def test_a_guests_orders_get_an_address_that_tells_nothing(boss: User) -> None:
    orders = [PendingOrderFactory(email=email) for email in ("A@example.com", "a@example.com")]
    Order.objects.update(status="canceled")

    first = erase(boss, "a@example.com")

    assert first.user_id is None
    assert {support.reread(order).email for order in orders} == {first.erased_as}
    assert re.fullmatch(r"erased-[0-9a-f-]{36}@erased\.invalid", first.erased_as)


@pytest.mark.no_cover
@pytest.mark.django_db(transaction=True)
def test_a_job_that_is_killed_between_two_steps_goes_on(
    sandbox: Any, process_environment: Mapping[str, str], settings: Any, boss: User
) -> None:
    settings.REFUND_LIMIT_MINOR = 100_00
    rich_history(sandbox, boss)
    erasure = erasing.begin(
        customer=customer_of(EMAIL), why="request", by=boss, key=uuid4(), at=support.stripe_now()
    )
    code = f"from backoffice.tasks import finish_erasure; finish_erasure.func({erasure.pk})"

    killed = run_code(process_environment, "erasing:between-steps", code)

    assert killed == -signal.SIGKILL
    assert "djstripe_charge" in traces(NAME_AT_STRIPE)
    assert run_code(process_environment, "", code) == 0
    erasure.refresh_from_db()
    assert erasure.finished_at is not None
    assert traces(*TEXTS) == {}
