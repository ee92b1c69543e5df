"""The daily mail to staff about what is low on stock."""

from datetime import date, datetime

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import F, QuerySet
from django.template.loader import render_to_string

from shop.models import LowStockMail, Variant

MOST_LISTED = 100


def tell(*, at: datetime) -> None:
    """Write to staff what is low, once a day; nothing is sent where nothing is.

    At least once: after a crash between sending and noting it the mail goes out again, under the
    same Message-ID. Calls must not run at the same time. No transaction is open while the mail
    server is spoken to.
    """
    if not settings.STAFF_EMAIL:
        return
    mail, _created = LowStockMail.objects.get_or_create(day=at.date())
    if mail.sent_at is not None:
        return
    low = Variant.objects.low_on_stock()
    if count := low.count():
        _message(mail.day, low, count).send()
    LowStockMail.objects.filter(day=mail.day, sent_at__isnull=True).update(sent_at=at)


def _message(day: date, low: QuerySet[Variant], count: int) -> EmailMessage:
    scarcest = low.select_related("product").order_by(F("on_hand") - F("reserved"), "sku")
    listed = list(scarcest[:MOST_LISTED])
    context = {
        "count": count,
        "variants": listed,
        "more": count - len(listed),
        "shop_name": settings.SHOP_NAME,
        "site_url": settings.SITE_URL,
    }
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">")
    return EmailMessage(
        subject=f"Low on stock: {count}",
        body=render_to_string("shop/mail/low_stock.txt", context),
        to=[settings.STAFF_EMAIL],
        headers={"Message-ID": f"<low-stock-{day:%Y-%m-%d}@{domain}>"},
    )
