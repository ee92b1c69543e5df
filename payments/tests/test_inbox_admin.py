"""The inbox as staff see it: found, explained, run again; and what waits, on the front page."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.models import User
from accounts.tests.factories import a_clerk
from orders import services as orders
from orders.models import Review
from orders.tests.factories import PendingOrderFactory
from payments.models import InboxEvent, Refund
from payments.services import inbox
from shop.clock import now

pytestmark = pytest.mark.django_db

LIST = "/admin/payments/inboxevent/"
SENT = {"_form_submitted": "True"}


def an_event(event_id: str, state: str = "failed", **more: Any) -> InboxEvent:
    row = InboxEvent(
        event_id=event_id,
        state=state,
        **{
            "type": "charge.updated",
            "payload": {"id": event_id, "data": {"object": {"id": "ch_1"}}},
            "livemode": False,
            "source": "webhook",
            "received_at": now(),
            "last_error": "Missing: InvalidRequestError" if state == "failed" else "",
        }
        | more,
    )
    row.save()
    return row


def shown(staff: Client, **filters: str) -> list[str]:
    found = staff.get(LIST, filters).context["cl"].result_list
    return [row.event_id for row in found]


def page(staff: Client, row: InboxEvent) -> str:
    return staff.get(reverse("admin:payments_inboxevent_change", args=[row.pk])).content.decode()


def test_events_are_listed_by_state_type_and_age(staff: Client) -> None:
    an_event("evt_failed", received_at=now() - timedelta(hours=2))
    an_event("evt_done", "done", type="refund.created", received_at=now() - timedelta(days=2))
    an_event("evt_new", "received", type="customer.created")

    assert shown(staff) == ["evt_new", "evt_done", "evt_failed"]
    assert shown(staff, state__exact="failed") == ["evt_failed"]
    assert shown(staff, type="refund.created") == ["evt_done"]
    assert shown(staff, older_than="1") == ["evt_done", "evt_failed"]
    assert shown(staff, older_than="24") == ["evt_done"]
    assert shown(staff, q="evt_new") == ["evt_new"]


def test_the_list_costs_the_same_however_long(
    staff: Client, django_assert_num_queries: Any
) -> None:
    order = PendingOrderFactory()
    for number in range(30):
        an_event(f"evt_{number}", order=order)

    with django_assert_num_queries(4):
        answer = staff.get(LIST)

    assert len(answer.context["cl"].result_list) == 30


def test_a_failed_event_says_why_how_often_and_which_order_it_is_about(
    staff: Client, django_assert_num_queries: Any
) -> None:
    order = PendingOrderFactory()
    tags = {"app": "shop", "order": order.number, "attempt": "x"}
    payload = {"data": {"object": {"id": "cs_1", "metadata": tags}}}
    row = an_event("evt_1", payload=payload, attempts=5)
    # Asked for once in a process's life, whichever test comes first.
    ContentType.objects.get_for_model(InboxEvent)

    with django_assert_num_queries(3):
        told = page(staff, row)

    assert "Stripe knows no such object." in told
    assert "Missing: InvalidRequestError" in told
    assert f'/admin/orders/order/?q={order.number}">{order.number}, as it says</a>' in told
    assert "cs_1" in told


@pytest.mark.parametrize("tags", [{}, None, {"app": "another", "order": "K7WQ3MZDX4"}])
def test_an_event_of_another_site_names_no_order(
    staff: Client, tags: dict[str, str] | None
) -> None:
    row = an_event("evt_1", payload={"data": {"object": {"metadata": tags}}})

    assert "as it says" not in page(staff, row)


def test_a_payload_that_was_removed_is_said_in_words(staff: Client, settings: Any) -> None:
    settings.INBOX_KEEP_DAYS = 17
    row = an_event("evt_1", "done", payload=None, finished_at=now())

    told = page(staff, row)

    assert "Removed 17 days after the event was processed" in told
    assert "<pre" not in told


def test_retrying_a_finished_or_waiting_event_changes_nothing_and_says_so(staff: Client) -> None:
    rows = [an_event(f"evt_{state}", state) for state in ("done", "ignored", "retrying")]
    before = list(InboxEvent.objects.values())

    for row in rows:
        staff.post(reverse("admin:payments_inboxevent_retry", args=[row.pk]), SENT)
    answer = staff.post(
        LIST,
        {"action": "retry_selected", "_selected_action": [row.pk for row in rows]},
        follow=True,
    )

    assert list(InboxEvent.objects.values()) == before
    assert ProcrastinateJob.objects.count() == 0
    assert "only failed events run again" in answer.content.decode()


def test_one_click_retries_one_event_and_says_so(staff: Client) -> None:
    row = an_event("evt_1")
    address = reverse("admin:payments_inboxevent_retry", args=[row.pk])

    assert staff.get(address).status_code == 200
    assert ProcrastinateJob.objects.count() == 0
    staff.post(address, SENT)
    staff.post(address, SENT)

    assert [job.args["inbox_id"] for job in ProcrastinateJob.objects.all()] == [row.pk]
    assert "1 failed event will run again." in page(staff, row)


def history(staff: Client, row: InboxEvent) -> str:
    return staff.get(reverse("admin:payments_inboxevent_history", args=[row.pk])).content.decode()


def test_one_event_is_set_aside_with_a_word_of_why_and_its_history_says_who(
    staff: Client, boss: User
) -> None:
    row = an_event("evt_1")
    address = reverse("admin:payments_inboxevent_set_aside", args=[row.pk])

    assert "For what no retry will mend" in staff.get(address).content.decode()
    assert "This field is required" in staff.post(address, SENT | {"why": " "}).content.decode()
    row.refresh_from_db()
    assert row.state == "failed"
    for _ in range(2):
        staff.post(address, SENT | {"why": "Given back by hand"})

    row.refresh_from_db()
    assert (row.state, row.set_aside_why) == ("ignored", "Given back by hand")
    told = page(staff, row)
    assert "Set aside: Given back by hand" in told
    assert "1 event set aside." in told
    assert "Nothing to set aside" in told
    (entry,) = LogEntry.objects.all()
    assert (entry.user, entry.change_message) == (boss, "Set aside: Given back by hand")
    assert "Set aside: Given back by hand" in history(staff, row)
    assert "Nothing waits for you." in staff.get("/admin/").content.decode()


def test_many_events_are_set_aside_at_once_after_a_word_of_why(staff: Client) -> None:
    rows = [an_event(f"evt_{number}") for number in range(3)]
    done = an_event("evt_done", "done")
    chosen = {
        "action": "set_aside_selected",
        "_selected_action": [row.pk for row in (*rows[:2], done)],
    }

    asked = staff.post(LIST, chosen)
    assert (asked.status_code, shown(staff, state__exact="ignored")) == (200, [])
    sent = dict(asked.context["chosen"])
    assert sent == {"action": "set_aside_selected", "_selected_action": str(done.pk)}
    assert staff.post(LIST, chosen | SENT | {"why": ""}).status_code == 422
    answer = staff.post(LIST, chosen | SENT | {"why": "A restored backup"}, follow=True)

    assert "2 events set aside." in answer.content.decode()
    assert shown(staff, state__exact="ignored") == ["evt_1", "evt_0"]
    assert shown(staff, state__exact="failed") == ["evt_2"]
    assert LogEntry.objects.count() == 2
    done.refresh_from_db()
    assert (done.state, done.set_aside_why) == ("done", "")


def test_an_event_that_was_set_aside_runs_again_by_one_click(staff: Client) -> None:
    row = an_event("evt_1", "ignored", set_aside_why="By mistake", finished_at=now())

    staff.post(reverse("admin:payments_inboxevent_retry", args=[row.pk]), SENT)

    assert [job.args["inbox_id"] for job in ProcrastinateJob.objects.all()] == [row.pk]
    assert "Set aside" not in page(staff, row).split('id="content"')[1].split("Payload")[0]


def test_who_may_only_look_sets_nothing_aside(client: Client) -> None:
    client.force_login(a_clerk("view_inboxevent"))
    row = an_event("evt_1")
    address = reverse("admin:payments_inboxevent_set_aside", args=[row.pk])

    assert client.get(address).status_code == 403
    assert client.post(address, SENT | {"why": "Why not"}).status_code == 403
    client.post(
        LIST,
        SENT | {"action": "set_aside_selected", "_selected_action": [row.pk], "why": "Why not"},
    )

    assert address not in page(client, row)
    row.refresh_from_db()
    assert (row.state, LogEntry.objects.count()) == ("failed", 0)


def test_the_front_page_says_what_waits_for_whom(client: Client, boss: User) -> None:
    clerk = a_clerk("view_inboxevent")
    an_event("evt_1", received_at=now() - timedelta(hours=3))
    order = PendingOrderFactory()
    orders.open_review(
        order=order, reason=Review.Reason.MISMATCH, cause="ch_1", detail="", at=now()
    )
    Refund.objects.create(
        order=order,
        charge_id="ch_1",
        amount_minor=100,
        currency="EUR",
        source="staff",
        why="other",
        created_at=now(),
    )
    told = {}
    for person in (boss, clerk):
        client.force_login(person)
        told[person] = client.get("/admin/").content.decode()

    for text in told.values():
        assert f"{LIST}?state__exact=failed" in text
        assert "3\xa0hours" in text
    assert "Reviews to answer" in told[boss]
    assert "Reviews to answer" not in told[clerk]
    assert "Refunds that Stripe does not know of yet" in told[boss]
    assert "Disputes to answer" not in told[boss]


def test_the_front_page_says_that_nothing_waits(staff: Client) -> None:
    inbox.store(
        payload={"id": "evt_1", "type": "x", "livemode": False, "created": 1_700_000_000},
        source=InboxEvent.Source.WEBHOOK,
        at=now(),
    )

    assert "Nothing waits for you." in staff.get("/admin/").content.decode()
