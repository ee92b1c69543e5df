"""The confirmation's two parts, which say the same."""

import re
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.utils.html import strip_tags

from orders import services, tasks
from orders.models import OrderMail, Reason
from orders.tests.factories import ADDRESS, PendingOrderFactory
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
