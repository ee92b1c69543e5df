"""Orders and their lines as files: all that the list shows, or those that are ticked."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from orders.models import Order
from payments.models import LedgerEntry
from shop.csv_files import amount
from shop.dialogs import page
from shop.exports import ExportsList, Sheet, export, in_portions

_ADDRESS = {
    "name": "name",
    "line1": "line 1",
    "line2": "line 2",
    "postal_code": "postal code",
    "city": "city",
    "region": "region",
    "country": "country",
}
# Whoever reads these files by a program is told once what is where: a new column goes to the end.
_ORDER = (
    "order",
    "placed (UTC)",
    "placed by",
    "e-mail",
    "status",
    "money",
    "goods",
    "look",
    "currency",
    "subtotal",
    "discount",
    "shipping",
    "tax",
    "total",
    "tax included",
    "received",
    "given back",
    "kept by banks",
    *(f"shipping {name}" for name in _ADDRESS.values()),
    *(f"billing {name}" for name in _ADDRESS.values()),
)
_LINE = (
    "order",
    "placed (UTC)",
    "status",
    "SKU",
    "title",
    "quantity",
    "currency",
    "unit price",
    "discount",
    "tax",
    "tax included",
    "sum",
)


class OrderExports(ExportsList):
    """Buttons and actions of the list of orders."""

    exports = ("export_orders", "export_lines")
    actions: tuple[str, ...] = ("export_selected", "export_lines_of_selected")

    def has_export_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(["orders.view_order", "orders.export_order"])

    @page(label="Export orders", icon="download", permissions=["export"])
    def export_orders(self, request: HttpRequest) -> HttpResponseBase:
        return self.export_listed(request, self._orders())

    @page(label="Export lines", icon="download", permissions=["export"])
    def export_lines(self, request: HttpRequest) -> HttpResponseBase:
        return self.export_listed(request, _LINES)

    @admin.action(description="Export orders", permissions=["export"])
    def export_selected(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponseBase:
        return export(request, self._orders(), queryset, by="selection")

    @admin.action(description="Export lines of orders", permissions=["export"])
    def export_lines_of_selected(
        self, request: HttpRequest, queryset: QuerySet[Order]
    ) -> HttpResponseBase:
        return export(request, _LINES, queryset, by="selection")

    def _orders(self) -> Sheet:
        return Sheet("orders", _ORDER, self._order_rows)

    def _order_rows(self, orders: QuerySet[Order]) -> Iterator[list[Any]]:
        desk: Any = self
        with_sums: Any = orders.annotate(
            received_minor=LedgerEntry.objects.received().sum_of_order(),
            given_back_minor=LedgerEntry.objects.given_back().sum_of_order(),
        )
        for order in in_portions(with_sums):
            minor = [
                order.subtotal_minor,
                order.discount_minor,
                order.shipping_minor,
                order.tax_minor,
                order.total_minor,
                order.tax_included_minor,
                order.received_minor or 0,
                -(order.given_back_minor or 0),
                -(order.disputed_minor or 0),
            ]
            look = desk.flags(order)
            yield [
                order.number,
                order.placed_at,
                order.get_placed_by_display(),
                order.email,
                order.get_status_display(),
                desk.money_now(order),
                desk.goods(order),
                look[1] if look else "",
                order.currency,
                *(amount(figure, order.currency) for figure in minor),
                *_address(order.shipping_address),
                *_address(order.billing_address or {}),
            ]


def _line_rows(orders: QuerySet[Order]) -> Iterator[list[Any]]:
    for order in in_portions(orders.prefetch_related("lines")):
        for line in order.lines.all():
            minor = [
                line.unit_price_minor,
                line.discount_minor,
                line.tax_minor,
                line.tax_included_minor,
                line.subtotal_minor - line.discount_minor + line.tax_minor,
            ]
            yield [
                order.number,
                order.placed_at,
                order.get_status_display(),
                line.sku,
                line.title,
                line.quantity,
                order.currency,
                *(amount(figure, order.currency) for figure in minor),
            ]


_LINES = Sheet("order-lines", _LINE, _line_rows)


def _address(address: dict[str, str]) -> list[str]:
    return [address.get(part) or "" for part in _ADDRESS]
