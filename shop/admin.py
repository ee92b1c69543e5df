"""The catalog and its stock, for staff. Counters change by movements only, never in a form."""

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.db.models import F, Model, OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline

from shop import services
from shop.admin_forms import AdjustForm, CategoryForm, ProductForm, ReceiveForm, VariantForm
from shop.clock import now
from shop.dialogs import dialog, reload, row_or_404
from shop.models import Category, Product, ProductImage, StockMovement, Variant
from shop.money import format_minor
from shop.read_only import ReadOnlyAdmin, ReadOnlyInline


@admin.register(Category)
class CategoryAdmin(ModelAdmin):  # type: ignore[misc]  # Unfold has no types
    form = CategoryForm
    fields = ("name", "slug", "parent", "position")
    list_display = ("name", "parent", "position")
    list_select_related = ("parent",)
    search_fields = ("name",)
    prepopulated_fields = {"slug": ("name",)}


class VariantInline(TabularInline):  # type: ignore[misc]
    model = Variant
    form = VariantForm
    fields = (
        "sku",
        "title",
        "price",
        "currency",
        "on_hand",
        "reserved",
        "free",
        "stock",
        "position",
        "is_active",
    )
    readonly_fields = ("currency", "on_hand", "reserved", "free", "stock")
    extra = 0

    @admin.display(description="")
    def stock(self, variant: Variant) -> SafeString | str:
        if variant.pk is None:
            return ""
        address = reverse("admin:shop_variant_change", args=[variant.pk])
        return format_html('<a class="text-link" href="{}">Move stock</a>', address)


class ImageInline(TabularInline):  # type: ignore[misc]
    model = ProductImage
    fields = ("image", "alt", "position")
    extra = 0


@admin.register(Product)
class ProductAdmin(ModelAdmin):  # type: ignore[misc]
    form = ProductForm
    fields = ("title", "slug", "category", "is_published", "description", "attributes")
    list_display = ("title", "category", "units_free", "is_published", "created_at")
    list_filter = ("is_published", "category")
    list_select_related = ("category",)
    search_fields = ("title", "variants__sku")
    prepopulated_fields = {"slug": ("title",)}
    inlines = (VariantInline, ImageInline)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        products: QuerySet[Product] = super().get_queryset(request)
        units = Variant.objects.filter(product=OuterRef("pk")).order_by().values("product")
        return products.defer("search").annotate(
            units_free=Subquery(units.annotate(sum=Sum(F("on_hand") - F("reserved"))).values("sum"))
        )

    @admin.display(description="free", ordering="units_free")
    def units_free(self, product: Product) -> int:
        units: int | None = getattr(product, "units_free", None)
        return units or 0

    def save_model(
        self, request: HttpRequest, obj: Product, form: ProductForm, change: bool
    ) -> None:
        if not change:
            obj.created_at = now()
        super().save_model(request, obj, form, change)


class _Mover:
    """Shows who moved stock: movements name people by plain ids."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[StockMovement]:
        movements: QuerySet[StockMovement] = super().get_queryset(request)  # type: ignore[misc]
        users = get_user_model().objects.filter(pk=OuterRef("moved_by_id"))
        return movements.annotate(mover=Subquery(users.values("email")))

    @admin.display(description="by")
    def moved_by(self, movement: StockMovement) -> str:
        return getattr(movement, "mover", None) or "-"


class MovementInline(_Mover, ReadOnlyInline):
    model = StockMovement
    fields = ("moved_at", "kind", "on_hand_delta", "reserved_delta", "reference", "moved_by")
    readonly_fields = ("moved_by",)
    per_page = 20


@admin.register(StockMovement)
class StockMovementAdmin(_Mover, ReadOnlyAdmin):
    list_display = (
        "moved_at",
        "variant",
        "kind",
        "on_hand_delta",
        "reserved_delta",
        "reference",
        "moved_by",
    )
    list_filter = ("kind", "moved_at")
    list_select_related = ("variant",)
    search_fields = ("variant__sku", "reference")
    fields = list_display


@admin.register(Variant)
class VariantAdmin(ReadOnlyAdmin):
    """Stock of one variant: its counters, its movements, and the two ways staff change them.

    Everything else of a variant is edited on its product's page.
    """

    list_display = ("sku", "product", "title", "price", "on_hand", "reserved", "free", "is_active")
    list_filter = ("is_active",)
    list_select_related = ("product",)
    search_fields = ("sku", "product__title")
    ordering = ("sku",)
    fields = list_display
    inlines = (MovementInline,)
    actions_detail = ("receive", "adjust")

    def has_stock_permission(self, request: HttpRequest, obj: Model | str | None = None) -> bool:
        return request.user.has_perm("shop.change_variant")

    @admin.display(ordering="price_minor")
    def price(self, variant: Variant) -> str:
        return format_minor(variant.price_minor, variant.currency)

    @admin.display(ordering=F("on_hand") - F("reserved"))
    def free(self, variant: Variant) -> int:
        return variant.free

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
        _tell(request, is_first, f"{quantity} units of {variant.sku} received.")
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
            _tell(request, is_first, f"The count of {variant.sku} was adjusted.")
        return reload(variant)

    def _variant(self, request: HttpRequest, object_id: str) -> Variant:
        variant: Variant = row_or_404(self, request, object_id)
        return variant


def _tell(request: HttpRequest, is_first: bool, done: str) -> None:
    """Say what was done, or that the same form had done it before."""
    if is_first:
        messages.success(request, done)
    else:
        messages.warning(request, "This form was sent before. Nothing was moved a second time.")
