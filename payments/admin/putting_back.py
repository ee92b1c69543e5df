"""Putting the goods of an order whose money a bank kept back on the shelf."""

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse

from accounts.models import User
from orders.models import Order
from payments.services import fulfilling
from shop.clock import now
from shop.dialogs import dialog, reload, row_or_404


class PutsGoodsBack:
    """The button of an order's page, for who may change orders."""

    def has_put_back_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("orders.change_order")

    @dialog(
        label="Put the goods back",
        icon="shelves",
        text="For an order of whose money a bank kept some or all, so that no more of it is sent. "
        "The units that were not handed over are for sale again, and the order counts as fulfilled."
        " Its money stays as it is: what the bank left of it is given back apart from this.",
        permission="put_back",
    )
    def put_back(self, request: HttpRequest, form: object, object_id: str) -> HttpResponse:
        order: Order = row_or_404(self, request, object_id)
        try:
            fulfilling.put_back(order_id=order.pk, by=cast(User, request.user).pk, at=now())
        except fulfilling.CannotPutBack as error:
            messages.error(request, str(error))
        else:
            messages.success(request, "The goods are back on the shelf.")
        return reload(order)
