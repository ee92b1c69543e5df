"""What buyers are told by mail, in two parts that say the same."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.db import connection
from django.test import override_settings
from django.utils.html import strip_tags
from procrastinate.contrib.django.models import ProcrastinateJob

from orders import links, services, tasks
from orders.models import Order, OrderMail, Reason
from orders.tests.factories import ADDRESS, PLACED_AT, PendingOrderFactory
from shop.clock import now
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


def sent_parts(**order: Any) -> tuple[str, str]:
    """Send the confirmation of an order; return its text and its HTML."""
    services.mark_paid(
        order=PendingOrderFactory(**order),
        reason=Reason.CAPTURE,
        cause="evt_1",
        at=datetime(2026, 1, 5, 12, tzinfo=UTC),
    )
    tasks.send_mail.func(OrderMail.objects.get().pk)
    (sent,) = mail.outbox
    assert isinstance(sent, mail.EmailMultiAlternatives)
    ((html, mimetype),) = sent.alternatives
    assert mimetype == "text/html"
    return str(sent.body), str(html)


def words_of(html: str) -> str:
    return unescape(strip_tags(re.sub(r"(?s)<head>.*</head>", "", html)))


@pytest.mark.parametrize(("price_minor", "shipping"), [(8_90, "€4.90"), (30_00, "Free")])
def test_both_parts_say_the_same_figures(price_minor: int, shipping: str) -> None:
    emma = VariantFactory(price_minor=price_minor, product__title="Emma & Friends")
    other = VariantFactory(price_minor=1_00)

    text, html = sent_parts(quantities={emma: 2, other: 1})

    figures = re.compile(r"€[\d.,]+\d|Free")
    assert figures.findall(text) == figures.findall(words_of(html))
    assert shipping in figures.findall(text)
    assert len(figures.findall(text)) == 5
    for part in (text, words_of(html)):
        assert "Emma & Friends, Paperback" in part
        assert [
            line for line in ADDRESS.values() if line not in {"", "DE"} and line not in part
        ] == []
        assert "Germany" in part
    assert re.findall(r"http://\S+/orders/[^\s\"]+", text) == re.findall(
        r"http://\S+/orders/[^\s\"]+", html
    )


def test_what_the_buyer_typed_is_text_in_the_mail() -> None:
    text, html = sent_parts(address=ADDRESS | {"name": "<b>Ada</b>"})

    assert "<b>Ada</b>" in text
    assert "&lt;b&gt;Ada&lt;/b&gt;" in html
    assert "<b>Ada" not in html


def test_a_mail_loads_nothing_from_anywhere_and_styles_each_element() -> None:
    _text, html = sent_parts()

    assert re.findall(r"<(?:img|link|script)\b|url\(", html) == []
    body = html[html.index("<body") :]
    assert re.findall(r"<(?:td|h1|h2|a)\b(?![^>]*style=)[^>]*>", body) == ['<td align="center">']


def test_a_mails_colors_are_those_of_the_shop_by_day_and_by_night() -> None:
    tokens = (settings.BASE_DIR / "static" / "css" / "tokens.css").read_text(encoding="utf-8")
    day, night = tokens.split("@media (prefers-color-scheme: dark)")
    color = re.compile(r"#[0-9a-f]{6}\b")

    _text, html = sent_parts()

    head, body = html.split("</head>")
    assert set(color.findall(body)) - set(color.findall(day)) == set()
    assert set(color.findall(head)) - set(color.findall(night)) == set()
    assert len(color.findall(head)) > 8


HELD = "5 January, 12:00 UTC"
ALL_GONE = {"amount_minor": 12_90, "currency": "EUR", "why": "late"}
KINDS: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    # kind: facts, subject, and what it has to say
    "processing": (
        {},
        "Your payment for order {} is on its way",
        ["asked for the €16.90", "three to six working days", "we write too"],
    ),
    "payment_failed": (
        {},
        "Your payment for order {} did not go through",
        ["payment of €16.90", f"until {HELD}", "pay in another way"],
    ),
    "reminder": (
        {},
        "Order {} still waits for your payment",
        ["refused the card", "Nothing was charged", f"until {HELD}"],
    ),
    "in_review": (
        {},
        "We are looking into your payment for order {}",
        ["a person here looks into it", "do not pay again", "shows how it stands"],
    ),
    "canceled": ({"reason": "buyer"}, "Order {} is canceled", ["You have canceled order"]),
    "payment_link": (
        {},
        "Please pay your order {}",
        ["put together order", "comes to €16.90", "until 5 January 2026, 12:00 UTC"],
    ),
    "sent": ({}, "Order {} is on its way", ["has left our house, the rest will follow"]),
    "refund": (
        ALL_GONE,
        "€12.90 of order {} come back to you",
        ["came after the order was closed", "we give you back €12.90", "five to ten days"],
    ),
    "refund_failed": (
        ALL_GONE,
        "Your refund for order {} did not reach you",
        ["We sent you €12.90", "your bank did not take it", "answer this mail"],
    ),
}


def told(order: Order, kind: str, facts: dict[str, Any]) -> tuple[str, str, str]:
    """Send the buyer a mail; return its subject, its text and its HTML."""
    row = services.owe_mail(
        order=order, kind=OrderMail.Kind(kind), cause="c", at=PLACED_AT, facts=facts
    )
    tasks.send_mail.func(row.pk)
    sent = mail.outbox[-1]
    assert isinstance(sent, mail.EmailMultiAlternatives)
    assert (sent.to, sent.reply_to) == (["reader@example.com"], ["staff@example.com"])
    return str(sent.subject), str(sent.body), str(sent.alternatives[0][0])


def test_every_kind_for_buyers_is_here() -> None:
    ours = set(OrderMail.Kind) - {"confirmation", *OrderMail.TO_STAFF}

    assert set(KINDS) == ours


@pytest.mark.parametrize("kind", KINDS)
def test_a_mail_says_what_happened_and_what_comes_next(kind: str) -> None:
    facts, subject, words = KINDS[kind]
    order = PendingOrderFactory()

    title, text, html = told(order, kind, facts)

    assert title == subject.format(order.number)
    paragraphs = re.findall(r"(?s)<(?:h1|p)\b[^>]*>(.+?)</(?:h1|p)>", html)
    said = [" ".join(words_of(paragraph).split()) for paragraph in paragraphs]
    plain = " ".join(text.split())
    for paragraph in said:
        about_link = paragraph.replace("The button", "The link").replace("the button", "the link")
        assert about_link in plain or paragraph in {"Pay for your order", "To your cart"}
    assert [word for word in words if word not in " ".join(said)] == []
    assert re.findall(r"http://\S+/(?:orders|cart)/[^\s\"]*", text) == re.findall(
        r"http://\S+/(?:orders|cart)/[^\s\"]*", html
    )
    body = html[html.index("<body") :]
    assert re.findall(r"<(?:td|h1|h2|p|a)\b(?![^>]*style=)[^>]*>", body) == ['<td align="center">']


@pytest.mark.parametrize(
    ("reason", "note", "words"),
    [
        ("buyer", "", "You have canceled order"),
        ("expiry", "", "No payment has reached us, so others may buy them now."),
        ("staff", "It was <damaged>.", "we had to cancel order {}. It was <damaged>. You owe"),
    ],
)
def test_a_canceled_order_says_who_canceled_it_and_leads_back_to_the_cart(
    reason: str, note: str, words: str
) -> None:
    order = PendingOrderFactory()
    order.cancel_note = note
    order.save()

    _subject, text, html = told(order, "canceled", {"reason": reason})

    assert words.format(order.number) in text
    assert words.format(order.number) in words_of(html)
    assert re.findall(r"http://\S+/cart/", text) == ["http://testserver/cart/"]


def test_a_canceled_order_whose_cart_is_empty_leads_to_its_page() -> None:
    order = PendingOrderFactory()
    order.cart_due_at = order.cart_emptied_at = PLACED_AT
    order.save()

    _subject, text, _html = told(order, "canceled", {"reason": "staff"})

    assert "/cart/" not in text
    assert links.url(order) in text


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("late", "came after the order was closed"),
        ("duplicate", "was paid more than once"),
        ("requested_by_customer", "As you asked, we give you back €12.90 of what you paid"),
        ("unavailable", "we cannot send you everything"),
        ("review", "was not what we had asked for"),
        ("fraudulent", "We give you back €12.90 of what you paid"),
        ("other", "We give you back €12.90 of what you paid"),
    ],
)
def test_a_refund_says_why(why: str, words: str) -> None:
    _subject, text, html = told(PendingOrderFactory(), "refund", ALL_GONE | {"why": why})

    assert words in text
    assert words in html


def test_an_order_that_costs_nothing_is_confirmed_without_a_word_of_payment() -> None:
    gift = VariantFactory(price_minor=0)

    with override_settings(SHIPPING_FLAT_MINOR=0):
        text, html = sent_parts(quantities={gift: 1})

    assert str(mail.outbox[0].subject).endswith("is confirmed")
    for part in (text, words_of(html)):
        assert "There is nothing to pay for order" in part
        assert "payment" not in part


def test_an_unsent_mail_without_its_job_gets_another_and_one_with_it_none() -> None:
    order, long_ago = PendingOrderFactory(), now() - timedelta(minutes=6)
    stranded, given_up, waits, doing, sent, fresh = (
        services.owe_mail(order=order, kind=OrderMail.Kind.REFUND, cause=cause, at=long_ago)
        for cause in ("stranded", "given up", "waits", "doing", "sent", "fresh")
    )
    OrderMail.objects.filter(pk=sent.pk).update(sent_at=long_ago)
    OrderMail.objects.filter(pk=fresh.pk).update(due_at=now())
    jobs = ProcrastinateJob.objects.filter(task_name="orders.tasks.send_mail")
    for row in (stranded, sent, fresh):
        jobs.filter(args__mail_id=row.pk)._raw_delete("default")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_jobs SET status = CASE (args->>'mail_id')::bigint"
            " WHEN %s THEN 'doing'::procrastinate_job_status ELSE 'failed' END"
            " WHERE (args->>'mail_id')::bigint IN (%s, %s)",
            [doing.pk, doing.pk, given_up.pk],
        )

    tasks.requeue_stranded_mails.func(0)
    tasks.requeue_stranded_mails.func(0)

    queued = jobs.filter(status="todo").order_by("pk")
    assert [job.args["mail_id"] for job in queued] == [waits.pk, stranded.pk, given_up.pk]
    assert {job.queue_name for job in queued} == {"mail"}
