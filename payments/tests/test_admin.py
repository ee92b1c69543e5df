"""Orders and money in the admin: all of it shown, none of it edited, changes by services alone."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from djstripe.models import APIKey
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.models import User
from accounts.tests.factories import UserFactory, a_clerk
from orders import links
from orders import services as orders
from orders.models import Order, OrderEvent, Reason, Review, Status
from orders.tests.factories import PLACED_AT, PendingOrderFactory
from payments.models import InboxEvent, LedgerEntry, PaymentAttempt, Refund, RefundLine
from payments.services import inbox
from payments.tests import support
from shop import services as stock
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db

SENT = {"_form_submitted": "True"}
ORDERS = "admin:orders_order_changelist"
INBOX = "admin:payments_inboxevent_changelist"


def _capture(order: Order, charge: str, amount_minor: int) -> LedgerEntry:
    return LedgerEntry.objects.create(
        order=order,
        kind=LedgerEntry.Kind.CAPTURE,
        stripe_id=charge,
        amount_minor=amount_minor,
        currency=order.currency,
        booked_at=PLACED_AT,
    )


def _refund(order: Order, stripe_id: str) -> Refund:
    refund = Refund.objects.create(
        order=order,
        stripe_id=stripe_id,
        charge_id="ch_1",
        intent_id="pi_1",
        amount_minor=100,
        currency=order.currency,
        source="staff",
        why="other",
        note="torn page",
        state="succeeded",
        by_user_id=1,
        created_at=PLACED_AT,
    )
    RefundLine.objects.create(refund=refund, line=order.lines.all()[0], quantity=1)
    return refund


def _review(order: Order, charge: str, reason: Review.Reason = Review.Reason.MISMATCH) -> Review:
    return orders.open_review(order=order, reason=reason, cause=charge, detail="", at=PLACED_AT)


def _event(event_id: str, state: InboxEvent.State = InboxEvent.State.FAILED) -> InboxEvent:
    inbox.store(
        payload={
            "id": event_id,
            "type": "charge.updated",
            "livemode": False,
            "created": int(PLACED_AT.timestamp()),
            "data": {"object": {"name": "<b>Ada</b>"}},
        },
        source=InboxEvent.Source.WEBHOOK,
        at=PLACED_AT,
    )
    event = InboxEvent.objects.get(event_id=event_id)
    event.state, event.last_error = state, "Unreachable: no answer"
    event.save()
    return event


def _detail(row: Any) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def test_an_order_is_found_by_number_address_and_stripes_ids(staff: Client, sandbox: Any) -> None:
    PendingOrderFactory(email="other@example.com")
    attempt = support.checkout(support.cart_with(VariantFactory()))
    sandbox.pay(attempt.url)
    support.hear(sandbox.events())
    attempt.refresh_from_db()
    order = attempt.order
    charge = order.ledger.get(kind=LedgerEntry.Kind.CAPTURE).stripe_id

    stripes_ids = (attempt.session_id, attempt.intent_id, charge)
    for words in (order.number, order.number.lower(), order.email, *stripes_ids):
        found = staff.get(reverse(ORDERS), {"q": str(words)}).context["cl"].result_list
        assert list(found) == [order], words


@pytest.mark.parametrize("email", ["re_max@example.com", "ch_smith@example.com"])
def test_an_address_that_begins_as_stripes_ids_do_is_an_address(staff: Client, email: str) -> None:
    order = PendingOrderFactory(email=email)

    found = staff.get(reverse(ORDERS), {"q": email}).context["cl"].result_list

    assert list(found) == [order]


def test_the_buyers_page_is_opened_by_who_may_cancel_and_that_leaves_a_trace(
    client: Client,
) -> None:
    order = PendingOrderFactory()
    page = reverse("admin:orders_order_buyers_page", args=[order.pk])
    offered, answers = [], []
    for may in ("view_order", "(view|change)_order"):
        clerk = a_clerk(may)
        client.force_login(clerk)
        shown = client.get(_detail(order)).content.decode()
        assert links.sign(order.number) not in shown
        offered.append(page in shown)
        answers.append(client.post(page))

    assert (offered, [answer.status_code for answer in answers]) == ([False, True], [403, 303])
    assert answers[1]["Location"] == links.path(order)
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id, entry.object_repr) == (clerk, str(order.pk), order.number)
    assert entry.change_message == "Opened the buyer's page"
    assert client.get(page).status_code == 405
    assert LogEntry.objects.count() == 1


def test_what_stripe_was_asked_for_is_shown_without_the_buyers_link(
    staff: Client, sandbox: Any
) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))

    shown = staff.get(_detail(attempt)).content.decode()

    assert links.path(attempt.order) in attempt.params["cancel_url"]
    assert f"/orders/{attempt.order.number}/***" in shown
    assert links.sign(attempt.order.number) not in shown


def test_an_orders_page_tells_its_whole_story(staff: Client, sandbox: Any) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory(price_minor=12_00), quantity=2))
    sandbox.pay(attempt.url)
    (completed,) = [e for e in sandbox.events() if e["type"] == "checkout.session.completed"]
    support.deliver(completed)
    support.run_jobs()
    attempt.refresh_from_db()

    page = staff.get(_detail(attempt.order)).content.decode()

    assert f"?q={completed['id']}" in page
    for shown in ("€24.00", "€4.90", "€28.90", "Payment received", "1 Long Lane", "Germany"):
        assert shown in page
    assert attempt.intent_id is not None
    assert attempt.intent_id in page
    assert reverse("admin:orders_order_buyers_page", args=[attempt.order.pk]) in page


def test_the_story_names_the_person_behind_a_move(staff: Client, boss: User) -> None:
    order = PendingOrderFactory()
    orders.cancel(order=order, reason=Reason.STAFF, cause=str(boss.pk), at=PLACED_AT, by=boss.pk)

    page = staff.get(_detail(order)).content.decode()

    assert "Canceled by staff" in page
    assert page.count(boss.email) > staff.get(reverse(ORDERS)).content.decode().count(boss.email)


@pytest.mark.parametrize("model", [Review, PaymentAttempt, LedgerEntry, InboxEvent])
def test_rows_about_money_are_neither_added_changed_nor_deleted(staff: Client, model: Any) -> None:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    order = PendingOrderFactory()
    _capture(order, "ch_1", 100)
    _review(order, "ch_1")
    _event("evt_1")
    support.attempt_row(order)
    row = model.objects.get()
    before = model.objects.values().get()

    answers = [
        staff.get(reverse(f"{name}_add")),
        staff.post(_detail(row), {"status": "paid", "amount_minor": 1, "total_minor": 1}),
        staff.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}),
    ]
    shown = staff.get(_detail(row))

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert model.objects.values().get() == before
    assert not shown.context["adminform"].form.fields


def test_the_list_of_orders_costs_the_same_however_long(
    staff: Client, django_assert_num_queries: Any
) -> None:
    for number in range(25):
        user = UserFactory() if number % 2 else None
        order = PendingOrderFactory(user=user, client_ip=f"192.0.2.{number}")
        if number % 3 == 0:
            _review(order, f"ch_{number}")

    with django_assert_num_queries(3):
        answer = staff.get(reverse(ORDERS))

    assert len(answer.context["cl"].result_list) == 25


def test_an_orders_page_costs_the_same_however_much_happened(
    staff: Client, boss: User, django_assert_num_queries: Any
) -> None:
    order = PendingOrderFactory(quantities={VariantFactory(): 1 for _ in range(10)})
    line = order.lines.all()[0]
    for number in range(25):
        orders.note(
            order=order, reason=Reason.FAILED_CARD, cause=f"evt_{number}", at=PLACED_AT, by=boss.pk
        )
        _capture(order, f"ch_{number}", 100)
        _review(order, f"ch_{number}")
        support.dispute_row(order, f"du_{number}")
        _refund(order, f"re_{number}")
        orders.hand_over(order=order, quantities={line.pk: 1}, by=boss.pk, at=PLACED_AT)

    # Three of the session and the order; of its tables refunds and parcels take three each.
    with django_assert_num_queries(19):
        answer = staff.get(_detail(order))

    # In the refund or the parcel, and in the story.
    assert answer.content.decode().count(f"1 x {line.sku}") == 75


def test_orders_are_filtered_by_open_review(staff: Client) -> None:
    in_review, quiet = PendingOrderFactory(), PendingOrderFactory(client_ip="192.0.2.2")
    _review(in_review, "ch_1")

    found = {
        answer: list(staff.get(reverse(ORDERS), {"open_review": answer}).context["cl"].result_list)
        for answer in ("yes", "no")
    }

    assert found == {"yes": [in_review], "no": [quiet]}


def test_accepting_a_review_by_post_pays_the_order_in_the_name_of_staff(
    staff: Client, boss: User
) -> None:
    order = PendingOrderFactory()
    _capture(order, "ch_1", order.total_minor - 1)
    review = _review(order, "ch_1")
    address = reverse("admin:orders_review_accept", args=[review.pk])

    asked = staff.get(address)
    assert (asked.status_code, support.reread(order).status) == (200, Status.PENDING)
    answer = staff.post(address, SENT)

    assert answer.headers["HX-Redirect"] == _detail(review)
    assert support.reread(order).status == Status.PAID
    review.refresh_from_db()
    assert (review.resolution, review.resolved_by_id) == ("accepted", boss.pk)
    moved = order.events.get(to_status=Status.PAID, from_status=Status.PENDING)
    assert (moved.reason, moved.by_user_id) == (Reason.ACCEPTED, boss.pk)


def test_a_review_without_money_stays_open_and_says_why(staff: Client) -> None:
    order = PendingOrderFactory()
    review = _review(order, "ch_1", Review.Reason.SECOND)

    staff.post(reverse("admin:orders_review_accept", args=[review.pk]), SENT)

    review.refresh_from_db()
    assert (review.resolved_at, support.reread(order).status) == (None, Status.PENDING)
    assert "No money was received" in staff.get(_detail(review)).content.decode()


def test_a_review_whose_units_are_gone_stays_open_and_says_why(staff: Client) -> None:
    variant = VariantFactory(on_hand=1)
    order = PendingOrderFactory(quantities={variant: 1})
    orders.cancel(order=order, reason=Reason.EXPIRY, cause="", at=PLACED_AT)
    stock.reserve(quantities={variant.pk: 1}, reference="OTHER", at=PLACED_AT)
    _capture(order, "ch_1", order.total_minor)
    review = _review(order, "ch_1")
    events = OrderEvent.objects.count()

    staff.post(reverse("admin:orders_review_accept", args=[review.pk]), SENT)

    review.refresh_from_db()
    assert (review.resolved_at, support.reread(order).status) == (None, Status.CANCELED)
    assert OrderEvent.objects.count() == events
    assert "sold or held" in staff.get(_detail(review)).content.decode()


def test_open_reviews_come_first(staff: Client) -> None:
    order = PendingOrderFactory()
    done, waiting = _review(order, "ch_1"), _review(order, "ch_2")
    orders.resolve_review(
        order=order, review=done, resolution=Review.Resolution.ACCEPTED, at=PLACED_AT
    )

    answer = staff.get(reverse("admin:orders_review_changelist"))

    assert list(answer.context["cl"].result_list) == [waiting, done]


def test_failed_events_are_retried_one_or_many_and_others_left_alone(staff: Client) -> None:
    first, second, third = (_event(f"evt_{n}") for n in range(3))
    done = _event("evt_9", InboxEvent.State.DONE)
    jobs = _jobs_waiting()

    asked = staff.get(reverse("admin:payments_inboxevent_retry", args=[first.pk]))
    assert (asked.status_code, _jobs_waiting()) == (200, jobs)
    staff.post(reverse("admin:payments_inboxevent_retry", args=[first.pk]), SENT)
    staff.post(
        reverse(INBOX),
        {"action": "retry_selected", "_selected_action": [second.pk, third.pk, done.pk]},
    )

    states = InboxEvent.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["received", "received", "received", "done"]
    assert _jobs_waiting() == jobs + 3


def test_retrying_what_has_not_failed_says_so(staff: Client) -> None:
    done = _event("evt_1", InboxEvent.State.DONE)

    staff.post(reverse("admin:payments_inboxevent_retry", args=[done.pk]), SENT)

    assert "only failed events" in staff.get(_detail(done)).content.decode()


def test_an_event_shows_why_it_failed_and_its_payload_as_text(staff: Client) -> None:
    page = staff.get(_detail(_event("evt_1"))).content.decode()

    assert "Unreachable: no answer" in page
    assert "&lt;b&gt;Ada&lt;/b&gt;" in page
    assert "<b>Ada</b>" not in page


def test_who_may_only_look_neither_accepts_nor_retries(client: Client) -> None:
    client.force_login(a_clerk("view_.*"))
    order = PendingOrderFactory()
    _capture(order, "ch_1", order.total_minor)
    review, event = _review(order, "ch_1"), _event("evt_1")

    accepted = client.post(reverse("admin:orders_review_accept", args=[review.pk]), SENT)
    retried = client.post(reverse("admin:payments_inboxevent_retry", args=[event.pk]), SENT)
    client.post(reverse(INBOX), {"action": "retry_selected", "_selected_action": [event.pk]})

    assert client.get(_detail(order)).status_code == 200
    assert (accepted.status_code, retried.status_code) == (403, 403)
    assert support.reread(order).status == Status.PENDING
    assert InboxEvent.objects.get().state == "failed"


def test_an_unknown_review_or_event_is_not_found(staff: Client) -> None:
    for name in ("orders_review_accept", "payments_inboxevent_retry"):
        for unknown in (12345, "abc"):
            answer = staff.post(reverse(f"admin:{name}", args=[unknown]), SENT)
            assert answer.status_code == 404


def test_the_copies_from_stripe_show_no_secret_and_no_key(staff: Client) -> None:
    endpoint = support.endpoint_row()
    APIKey.objects.create(secret="sk_test_" + "z" * 24, type="secret", livemode=False)

    page = staff.get(_detail(endpoint))

    assert page.status_code == 200
    assert endpoint.secret not in page.content.decode()
    assert not admin.site.is_registered(APIKey)
    assert not page.context["adminform"].form.fields


def _jobs_waiting() -> int:
    jobs: int = ProcrastinateJob.objects.filter(status="todo").count()
    return jobs


def test_money_in_a_currency_the_shop_does_not_take_is_shown_all_the_same(staff: Client) -> None:
    LedgerEntry.objects.create(
        order=PendingOrderFactory(),
        kind=LedgerEntry.Kind.FEE,
        stripe_id="txn_1",
        amount_minor=-31,
        currency="THB",
        booked_at=PLACED_AT,
    )

    page = staff.get(reverse("admin:payments_ledgerentry_changelist")).content.decode()

    assert "-31 THB (minor units)" in page


def test_jobs_are_run_again_or_stopped_only_by_who_may_change_them(client: Client) -> None:
    client.force_login(a_clerk("view_procrastinatejob"))
    _event("evt_1")
    job = ProcrastinateJob.objects.get()
    jobs = reverse("admin:procrastinate_procrastinatejob_changelist")
    cancel = {"action": "cancel", "_selected_action": [job.pk]}

    client.post(jobs, cancel)
    assert ProcrastinateJob.objects.get().status == "todo"
    client.force_login(a_clerk("(view|change)_procrastinatejob"))
    client.post(jobs, cancel)

    assert ProcrastinateJob.objects.get().status == "cancelled"
