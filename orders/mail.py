"""Mail to the buyer, some to staff, from rows that say it is due."""

from datetime import datetime

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from structlog.contextvars import bind_contextvars

from orders import links
from orders.models import OrderMail
from shop.faults import fault_point


def send(*, mail_id: int, at: datetime) -> None:
    """Send a mail that is due, at least once; one already sent is left alone.

    No transaction is open while the mail server is spoken to. After a crash in between the mail is
    sent again, under the same Message-ID.
    """
    mail = OrderMail.objects.select_related("order").get(pk=mail_id)
    bind_contextvars(order_number=mail.order.number, mail_id=mail_id)
    if mail.sent_at is None:
        _message(mail).send()
        fault_point("mail:sent")
        OrderMail.objects.filter(pk=mail_id, sent_at__isnull=True).update(sent_at=at)


def _message(mail: OrderMail) -> EmailMultiAlternatives:
    order = mail.order
    context = {
        "order": order,
        "facts": mail.facts,
        "lines": order.lines.all(),
        "order_url": links.url(order),
        "shop_name": settings.SHOP_NAME,
        "site_url": settings.SITE_URL,
    }
    name = f"orders/mail/{mail.kind}"
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">")
    message = EmailMultiAlternatives(
        subject=" ".join(render_to_string(f"{name}.subject.txt", context).split()),
        body=render_to_string(f"{name}.txt", context),
        to=[settings.STAFF_EMAIL if mail.kind in OrderMail.TO_STAFF else order.email],
        reply_to=[settings.STAFF_EMAIL] if settings.STAFF_EMAIL else None,
        headers={"Message-ID": f"<order-mail-{mail.pk}@{domain}>"},
    )
    message.attach_alternative(render_to_string(f"{name}.html", context), "text/html")
    return message
