"""Mail to the buyer, some to staff, from rows that say it is due."""

from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import BigIntegerField
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.template.loader import render_to_string
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from structlog.contextvars import bind_contextvars

from orders import links
from orders.models import OrderMail
from shop.faults import fault_point

_SEND_MAIL = "orders.tasks.send_mail"
# A mail and its job are committed together; this is for looking rarely at those that just came.
_JOB_WITHIN = timedelta(minutes=5)


def send(*, mail_id: int, at: datetime) -> None:
    """Send a mail that is due, at least once; one already sent is left alone.

    No transaction is open while the mail server is spoken to. After a crash in between the mail is
    sent again, under the same Message-ID. To a buyer who was erased nothing goes out.
    """
    mail = OrderMail.objects.select_related("order").get(pk=mail_id)
    bind_contextvars(order_number=mail.order.number, mail_id=mail_id)
    if mail.sent_at is None:
        if mail.kind in OrderMail.TO_STAFF or not mail.order.is_erased:
            _message(mail).send()
        fault_point("mail:sent")
        OrderMail.objects.filter(pk=mail_id, sent_at__isnull=True).update(sent_at=at)


@transaction.atomic
def requeue_stranded(*, at: datetime) -> int:
    """Queue again the unsent mails that no job sends any more; return how many.

    Their jobs gave up after a day, say, or a backup brought back the mail without its job. They
    are locked: who comes second finds none.
    """
    jobs = ProcrastinateJob.objects.filter(
        task_name=_SEND_MAIL, status__in=["todo", "doing"]
    ).annotate(mail_id=Cast(KT("args__mail_id"), BigIntegerField()))
    waiting = OrderMail.objects.filter(sent_at__isnull=True, due_at__lt=at - _JOB_WITHIN)
    stranded = waiting.exclude(pk__in=jobs.values("mail_id"))
    rows = stranded.select_for_update(no_key=True, skip_locked=True).order_by("pk")
    mail_ids = list(rows.values_list("pk", flat=True))
    for mail_id in mail_ids:
        app.configure_task(_SEND_MAIL).defer(mail_id=mail_id)
    return len(mail_ids)


def _message(mail: OrderMail) -> EmailMultiAlternatives:
    order = mail.order
    context = {
        "order": order,
        "facts": mail.facts,
        "lines": order.lines.all(),
        "fulfillment": order.fulfillments.filter(pk=mail.facts.get("fulfillment")).first(),
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
