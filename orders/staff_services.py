"""What staff do about an order that moves neither its money nor its stock."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db import transaction

from orders import services as orders
from orders.models import Fulfillment, Order, OrderMail, OrderNote, Reason, Status


class CannotChangeAddress(Exception):
    """The address stays; `str(error)` says why in staff's words."""


class CannotSendAgain(Exception):
    """Nothing was sent; `str(error)` says why in staff's words."""


@transaction.atomic
def mark_delivered(*, fulfillment_id: int, by: int, at: datetime) -> Fulfillment:
    """Note that what was handed over has arrived. Safe to repeat."""
    order = orders.lock(
        Fulfillment.objects.values_list("order_id", flat=True).get(pk=fulfillment_id)
    )
    fulfillment = order.fulfillments.get(pk=fulfillment_id)
    if fulfillment.delivered_at is None:
        fulfillment.delivered_at = at
        fulfillment.save(update_fields=["delivered_at"])
        orders.note(order=order, reason=Reason.DELIVERED, cause=str(fulfillment.pk), at=at, by=by)
    return fulfillment


@transaction.atomic
def change_address(*, order_id: int, address: Mapping[str, str], by: int, at: datetime) -> Order:
    """Have an order go elsewhere, as long as nothing of it was handed over.

    `address` has the fields of the checkout form. Safe to repeat. Raises CannotChangeAddress.
    """
    order = orders.lock(order_id)
    if order.status not in {Status.PENDING, Status.PAID}:
        raise CannotChangeAddress(f"This order is {order.get_status_display()}.")
    if order.fulfillments.exists():
        raise CannotChangeAddress("Some of this order was handed over already.")
    if order.shipping_address != address:
        order.shipping_address = dict(address)
        order.save(update_fields=["shipping_address"])
        orders.note(order=order, reason=Reason.ADDRESS_CHANGED, cause=str(by), at=at, by=by)
    return order


@transaction.atomic
def send_again(*, mail_id: int, key: UUID, by: int, at: datetime) -> OrderMail:
    """Owe a mail that was sent once more, in the words of today.

    `key` is the form's: asking again under it sends nothing more. Raises CannotSendAgain.
    """
    sent = OrderMail.objects.get(pk=mail_id)
    order = orders.lock(sent.order_id)
    cause = f"again {key}"
    if before := order.mails.filter(cause=cause).first():
        return before
    if sent.sent_at is None:
        raise CannotSendAgain("This mail is not sent yet: it goes out by itself.")
    if order.is_erased:
        raise CannotSendAgain("The buyer's data were erased: there is no address any more.")
    kind = OrderMail.Kind(sent.kind)
    mail = orders.owe_mail(order=order, kind=kind, cause=cause, at=at, facts=sent.facts)
    orders.note(order=order, reason=Reason.MAIL_REPEATED, cause=str(mail.pk), at=at, by=by)
    return mail


def write_note(
    *, order_id: int, text: str, by: int, at: datetime, key: UUID | None = None
) -> OrderNote:
    """Keep a note on an order, for staff alone; under a `key` that wrote one before, that one."""
    written = {"order_id": order_id, "text": text, "by_user_id": by, "written_at": at}
    if key is None:
        return OrderNote.objects.create(**written)
    return OrderNote.objects.get_or_create(form_key=key, defaults=written)[0]
