"""Prices and stock of all variants, for staff; stock changes by movements only, never in a form."""

from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.decorators import display

from shop import publishing, services
from shop.admin import counting, product_export
from shop.admin.bulk_prices import change_prices
from shop.admin.counting import CountForm
from shop.admin.deleting import NeverInBulk
from shop.admin.deliveries import DeliveryForm
from shop.admin.movements import MovementInline
from shop.admin.price_history import PriceInline
from shop.admin.price_list import PriceList, move_stock, save_prices, tell_moved
from shop.admin.two_steps import in_two_steps, page_context
from shop.admin_forms import AdjustForm, ReceiveForm
from shop.clock import now
from shop.dialogs import dialog, page, reload, row_or_404
from shop.exports import ExportsList
from shop.models import Variant, VariantQuerySet
from shop.money import format_minor
from shop.read_only import ReadOnlyAdmin

_COUNT = (
    "Download a sheet below the list of prices and stock, for all that the list shows. Write what "
    "you count into its column 'counted', and enter the file here."
)


class StockFilter(admin.SimpleListFilter):
    title = "stock"
    parameter_name = "stock"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [("low", "Low"), ("none", "None free")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Variant]) -> QuerySet[Variant]:
        match self.value():
            case "low":
                return cast(VariantQuerySet, queryset).low_on_stock()
            case "none":
                return queryset.filter(on_hand=F("reserved"))
        return queryset


@admin.register(Variant)
class VariantAdmin(NeverInBulk, ExportsList, ReadOnlyAdmin):
    """The list edits prices and moves stock in its rows; a page shows one variant's history.

    Everything else of a variant is edited on its product's page.
    """

    list_display_links = ("book",)
    list_filter = (StockFilter, "is_active", "product__category")
    list_select_related = ("product",)
    list_per_page = 50
    # A page of fields is as much as one form may send.
    list_max_show_all = 0
    list_before_template = "admin/shop/price_list_save.html"
    list_after_template = "admin/shop/price_list_forms.html"
    list_fullwidth = True
    search_fields = ("sku", "product__title")
    search_help_text = "SKU or title"
    ordering = ("sku",)
    fields = ("sku", "product", "title", "price", "on_hand", "reserved", "free", "low_at")
    readonly_fields = ("price", "free", "low_at")
    inlines = (MovementInline, PriceInline)
    custom_urls = (("count-sheet.csv", "shop_variant_count_sheet", counting.download),)
    actions = ("change_prices_of_selected",)
    exports = ("export_products",)
    actions_list = ("receive_goods", "count", "change_prices", *exports)
    actions_detail = ("receive", "adjust")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Variant]:
        variants: QuerySet[Variant] = super().get_queryset(request)
        return variants.select_related("product").defer("product__search", "product__description")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[PriceList]:
        return PriceList

    def get_list_display(self, request: HttpRequest) -> list[str]:
        price = "price_to_type" if self.has_pricing_permission(request) else "price"
        stock = ["stock_to_move"] if self.has_stock_permission(request) else []
        return ["book", "sku", price, "units", *stock, "is_active"]

    def has_pricing_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("shop.change_variant")

    def has_stock_permission(self, request: HttpRequest, obj: Model | str | None = None) -> bool:
        return request.user.has_perm("shop.move_stock")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may_delete = request.user.has_perm("shop.delete_variant")
        return may_delete and obj is not None and not publishing.was_in_stock(pk=obj.pk)

    def delete_model(self, request: HttpRequest, obj: Variant) -> None:
        publishing.delete_variant(variant_id=obj.pk)

    # The list

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        quick = request.POST.get("quick")
        if quick is not None:
            refused = self._edit_quickly(request, quick)
            if not refused:
                return HttpResponseRedirect(request.get_full_path())
            setattr(request, "refused_cells", refused)  # noqa: B010 - none of Django's
        around = (extra_context or {}) | {
            "may_price": self.has_pricing_permission(request),
            "may_move": self.has_stock_permission(request),
        }
        answer: HttpResponse = super().changelist_view(request, around)
        if quick is not None:
            answer.status_code = 422
        return answer

    def _edit_quickly(self, request: HttpRequest, quick: str) -> dict[int, Any]:
        """Do what a form of the list asks; return the rows that were refused."""
        if quick == "prices":
            if not self.has_pricing_permission(request):
                raise PermissionDenied
            return save_prices(request)
        if not self.has_stock_permission(request):
            raise PermissionDenied
        variant: Variant = row_or_404(self, request, quick)
        refused = move_stock(request, variant)
        return {variant.pk: refused} if refused else {}

    @display(  # type: ignore[untyped-decorator]
        header=True, description="book", ordering="product__title"
    )
    def book(self, variant: Variant) -> tuple[str, str]:
        return variant.product.title, variant.title

    @admin.display(ordering="price_minor")
    def price(self, variant: Variant) -> str:
        return format_minor(variant.price_minor, variant.currency)

    @admin.display(description="price", ordering="price_minor")
    def price_to_type(self, variant: Variant) -> SafeString:
        return render_to_string("admin/shop/_price_cell.html", {"variant": variant})

    @display(  # type: ignore[untyped-decorator]
        header=True, description="free", ordering=F("on_hand") - F("reserved")
    )
    def units(self, variant: Variant) -> tuple[str, str]:
        free = f"{variant.free}, low" if variant.is_low else f"{variant.free}"
        return free, f"of {variant.on_hand} on hand" if variant.reserved else ""

    @admin.display(description="adjust stock")
    def stock_to_move(self, variant: Variant) -> SafeString:
        return render_to_string("admin/shop/_stock_cell.html", {"variant": variant})

    @page(label="Receive goods", icon="local_shipping", permissions=["stock"])
    def receive_goods(self, request: HttpRequest) -> HttpResponse:
        context = page_context(self, request, "Receive goods") | {"verb": "Book it"}
        back = reverse("admin:shop_variant_changelist")
        return in_two_steps(request, context, DeliveryForm(request.POST or None), back, at=now())

    @page(label="Count stock", icon="checklist", permissions=["stock"])
    def count(self, request: HttpRequest) -> HttpResponse:
        back = reverse("admin:shop_variant_changelist")
        context = page_context(self, request, "Count stock") | {"verb": "Enter it", "text": _COUNT}
        form = CountForm(request.POST or None, request.FILES or None)
        return in_two_steps(request, context, form, back, at=now())

    @page(label="Change prices", icon="percent", permissions=["pricing"])
    def change_prices(self, request: HttpRequest) -> HttpResponse:
        return change_prices(self, request)

    @page(label="Export", icon="download", permissions=["view"])
    def export_products(self, request: HttpRequest) -> HttpResponseBase:
        return self.export_listed(request, product_export.sheet())

    @admin.action(description="Change their prices", permissions=["pricing"])
    def change_prices_of_selected(
        self, request: HttpRequest, queryset: QuerySet[Variant]
    ) -> HttpResponse:
        return change_prices(self, request, queryset)

    # One variant

    @dialog(
        label="Receive units",
        icon="add_box",
        text="Adds delivered units to those on hand.",
        permission="stock",
        form=ReceiveForm,
    )
    def receive(self, request: HttpRequest, form: ReceiveForm, object_id: str) -> HttpResponse:
        variant = self._variant(request, object_id)
        quantity = form.cleaned_data["quantity"]
        is_first = services.receive(
            variant_id=variant.pk,
            quantity=quantity,
            reference=form.cleaned_data["reference"],
            at=now(),
            moved_by_id=request.user.pk,
            form_key=form.cleaned_data["form_key"],
        )
        tell_moved(request, is_first, f"{quantity} units of {variant.sku} received.")
        return reload(variant)

    @dialog(
        label="Adjust the count",
        icon="exposure",
        text="Corrects the units on hand after counting, loss or damage.",
        permission="stock",
        form=AdjustForm,
    )
    def adjust(self, request: HttpRequest, form: AdjustForm, object_id: str) -> HttpResponse:
        variant = self._variant(request, object_id)
        try:
            is_first = services.adjust(
                variant_id=variant.pk,
                difference=form.cleaned_data["difference"],
                reason=form.cleaned_data["reason"],
                at=now(),
                moved_by_id=request.user.pk,
                form_key=form.cleaned_data["form_key"],
            )
        except services.InsufficientStock as error:
            free = error.shortages[0].free
            messages.error(
                request,
                f"Nothing was changed: only {free} units of {variant.sku} are free, "
                "pending orders hold the others.",
            )
        else:
            tell_moved(request, is_first, f"The count of {variant.sku} was adjusted.")
        return reload(variant)

    def _variant(self, request: HttpRequest, object_id: str) -> Variant:
        variant: Variant = row_or_404(self, request, object_id)
        return variant
