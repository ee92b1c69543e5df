"""The catalog and its stock, for staff: what the admin's forms do, judged by the same forms."""

from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.db import IntegrityError, transaction
from django.db.models import Model, ProtectedError, Q, QuerySet
from django.utils.datastructures import MultiValueDict
from django.utils.text import slugify
from rest_framework.generics import get_object_or_404
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from api.forms import require_valid
from api.idempotency import idempotent, key_of
from api.pages import NewestFirst
from api.problems import Code, Problem, invalid
from api.schema import operation
from api.views import StaffView
from shop import money, publishing, services
from shop.admin_forms import CategoryForm, ProductForm, VariantForm
from shop.clock import now
from shop.models import Category, Product, ProductImage, StockMovement, Variant
from shop.pictures import MAX_BYTES
from shop.staff_serializers import (
    CategoryInputSerializer,
    ImageChangeSerializer,
    ImageInputSerializer,
    MovementQuery,
    MovementSerializer,
    MoveSerializer,
    ProductInputSerializer,
    ProductSearch,
    StaffCategorySerializer,
    StaffImageSerializer,
    StaffProductSerializer,
    StockSerializer,
    VariantInputSerializer,
)

_PictureForm = forms.modelform_factory(ProductImage, fields=("image", "alt", "position"))


class CatalogView(StaffView):
    """For staff of the catalog, whose forms judge what is sent."""

    def problem_of(self, error: Exception) -> Problem | None:
        match error:
            case ProtectedError() | publishing.InUse():
                return Problem(Code.IN_USE)
            case IntegrityError():
                return Problem(Code.CONFLICT)
        return None

    def save(
        self,
        form_class: "type[forms.ModelForm[Any]]",
        row: Model,
        asked: dict[str, Any],
        **unchanged: Any,
    ) -> Any:
        """Save what is asked of a new or locked row by the admin's form, and note who did it.

        `unchanged` are fields of the form that are none of the row, as they are.
        """
        fields = form_class.base_fields
        known = forms.model_to_dict(row, fields) | unchanged if row.pk else {}
        is_new = row.pk is None
        form = form_class(known | asked, instance=row)
        require_valid(form)
        saved = form.save()
        if isinstance(form, VariantForm):
            form.change_price(why="by the API", by_user_id=self._by, at=now())
        self.note(saved, ADDITION if is_new else CHANGE, ", ".join(sorted(asked)))
        return saved

    def note(self, row: Model, what: int, words: str) -> None:
        """Keep in the admin's history who did what."""
        same = type(row)._default_manager.filter(pk=row.pk)
        LogEntry.objects.log_actions(self._by, same, what, f"By the API: {words}")

    @property
    def _by(self) -> int:
        return cast(int, self.request.user.pk)

    @transaction.atomic
    def remove(self, row: Model) -> Response:
        """Delete a row that nothing refers to, and note who did it."""
        self.note(row, DELETION, "deleted")
        match row:
            case Product():
                publishing.delete_product(product_id=row.pk)
            case Variant():
                publishing.delete_variant(variant_id=row.pk)
            case _:
                row.delete()
        return Response(status=204)


def _locked(rows: QuerySet[Any], **which: str) -> Any:
    return get_object_or_404(rows.select_for_update(no_key=True, of=("self",)), **which)


def _category_id(slug: str, field: str) -> int:
    category = Category.objects.filter(slug=slug).first()
    if category is None:
        raise invalid(field, "There is no such category.", "does_not_exist")
    return category.pk


class Products(CatalogView):
    rights = {"GET": "shop.view_product", "POST": "shop.add_product"}
    pagination_class = NewestFirst

    @operation("listAllProducts", {200: StaffProductSerializer(many=True)}, query=ProductSearch)
    def get(self, request: Request) -> Response:
        """List all products, on sale or not, newest first."""
        return self.listed(_asked_for(self.read_query(ProductSearch)), StaffProductSerializer)

    @operation(
        "createProduct",
        {201: StaffProductSerializer},
        takes=ProductInputSerializer,
        problems=[Code.CONFLICT],
    )
    @transaction.atomic
    def post(self, request: Request) -> Response:
        """Create a product. It is on sale once it has an active variant."""
        asked = self.read(ProductInputSerializer)
        asked.setdefault("slug", slugify(asked["title"])[:200])
        asked["category"] = _category_id(asked["category"], "category")
        product = self.save(ProductForm, Product(created_at=now()), asked)
        return Response(_product_json(product.slug), status=201)


def _asked_for(asked: dict[str, Any]) -> QuerySet[Product]:
    products = _all_of_it(Product.objects.all())
    if words := asked.get("search"):
        by_sku = Variant.objects.filter(sku__icontains=words).values("product")
        products = products.filter(Q(title__icontains=words) | Q(pk__in=by_sku))
    if slug := asked.get("category"):
        products = products.filter(category__slug=slug)
    if "is_published" in asked:
        products = products.filter(is_published=asked["is_published"])
    return products


def _all_of_it(products: QuerySet[Product]) -> QuerySet[Product]:
    shown = products.defer("search").select_related("category")
    return shown.prefetch_related("variants", "images")


def _product_json(slug: str) -> Any:
    return StaffProductSerializer(
        get_object_or_404(_all_of_it(Product.objects.all()), slug=slug)
    ).data


class ProductDetail(CatalogView):
    rights = {
        "GET": "shop.view_product",
        "PATCH": "shop.change_product",
        "DELETE": "shop.delete_product",
    }

    @operation("getAnyProduct", {200: StaffProductSerializer})
    def get(self, request: Request, slug: str) -> Response:
        """Show a product, on sale or not."""
        return Response(_product_json(slug))

    @operation(
        "changeProduct",
        {200: StaffProductSerializer},
        takes=ProductInputSerializer,
        problems=[Code.CONFLICT],
    )
    @transaction.atomic
    def patch(self, request: Request, slug: str) -> Response:
        """Change a product. What is left out stays as it is."""
        asked = self.read(ProductInputSerializer, partial=True)
        if "category" in asked:
            asked["category"] = _category_id(asked["category"], "category")
        product = self.save(ProductForm, _locked(Product.objects.defer("search"), slug=slug), asked)
        return Response(_product_json(product.slug))

    @operation("deleteProduct", {204: None}, problems=[Code.IN_USE])
    def delete(self, request: Request, slug: str) -> Response:
        """Delete a product that never had stock. Others are archived in the admin."""
        return self.remove(get_object_or_404(Product, slug=slug))


class Variants(CatalogView):
    rights = {"POST": "shop.add_variant"}

    @operation(
        "createVariant",
        {201: StockSerializer},
        takes=VariantInputSerializer,
        problems=[Code.CONFLICT],
    )
    @transaction.atomic
    def post(self, request: Request, slug: str) -> Response:
        """Add a variant to a product. It has no stock yet: that is a movement."""
        asked = _with_price(self.read(VariantInputSerializer), settings.SHOP_CURRENCY)
        product = get_object_or_404(Product, slug=slug)
        variant = self.save(VariantForm, Variant(product=product), asked)
        return Response(StockSerializer(variant).data, status=201)


class VariantDetail(CatalogView):
    rights = {
        "GET": "shop.view_variant",
        "PATCH": "shop.change_variant",
        "DELETE": "shop.delete_variant",
    }

    @operation("getVariant", {200: StockSerializer})
    def get(self, request: Request, sku: str) -> Response:
        """Show a variant with its stock."""
        return Response(StockSerializer(get_object_or_404(Variant, sku=sku)).data)

    @operation(
        "changeVariant",
        {200: StockSerializer},
        takes=VariantInputSerializer,
        problems=[Code.CONFLICT],
    )
    @transaction.atomic
    def patch(self, request: Request, sku: str) -> Response:
        """Change a variant. What is left out stays as it is, and so does its stock."""
        variant: Variant = _locked(Variant.objects.all(), sku=sku)
        asked = _with_price(self.read(VariantInputSerializer, partial=True), variant.currency)
        price = money.to_decimal(variant.price_minor, variant.currency)
        return Response(StockSerializer(self.save(VariantForm, variant, asked, price=price)).data)

    @operation("deleteVariant", {204: None}, problems=[Code.IN_USE])
    def delete(self, request: Request, sku: str) -> Response:
        """Delete a variant that never had stock. Others are taken off sale by `is_active`."""
        return self.remove(get_object_or_404(Variant, sku=sku))


def _with_price(asked: dict[str, Any], currency: str) -> dict[str, Any]:
    """Return what is asked with its price as the admin's form takes it."""
    if "price" not in asked:
        return asked
    return asked | {"price": money.to_decimal(asked["price"], currency)}


class Images(CatalogView):
    rights = {"POST": "shop.add_productimage"}
    parser_classes = (MultiPartParser,)
    most_bytes = MAX_BYTES + settings.DATA_UPLOAD_MAX_MEMORY_SIZE

    @operation("addImage", {201: StaffImageSerializer}, takes=ImageInputSerializer)
    @transaction.atomic
    def post(self, request: Request, slug: str) -> Response:
        """Add a picture to a product. Smaller copies of it are made by a job."""
        product = get_object_or_404(Product, slug=slug)
        asked = self.read(ImageInputSerializer)
        files = MultiValueDict({"image": [asked.pop("image")]})
        form = _PictureForm(asked, files, instance=ProductImage(product=product))
        require_valid(form)
        image = form.save()
        self.note(product, CHANGE, f"picture {image.image.name} added")
        return Response(StaffImageSerializer(image).data, status=201)


class ImageDetail(CatalogView):
    rights = {"PATCH": "shop.change_productimage", "DELETE": "shop.delete_productimage"}

    @operation("changeImage", {200: StaffImageSerializer}, takes=ImageChangeSerializer)
    def patch(self, request: Request, slug: str, name: str) -> Response:
        """Change where a picture stands, or its text."""
        asked = self.read(ImageChangeSerializer, partial=True)
        image = _image(slug, name)
        for field, value in asked.items():
            setattr(image, field, value)
        image.save()
        self.note(image.product, CHANGE, f"picture {name}: {', '.join(sorted(asked))}")
        return Response(StaffImageSerializer(image).data)

    @operation("deleteImage", {204: None})
    def delete(self, request: Request, slug: str, name: str) -> Response:
        """Take a picture away."""
        image = _image(slug, name)
        self.note(image.product, CHANGE, f"picture {name} deleted")
        image.delete()
        return Response(status=204)


def _image(slug: str, name: str) -> ProductImage:
    images = ProductImage.objects.filter(product__slug=slug, image__endswith=f"/{name}")
    image = images.select_related("product").first()
    if image is None:
        raise Problem(Code.NOT_FOUND)
    return image


class Categories(CatalogView):
    rights = {"POST": "shop.add_category"}

    @operation(
        "createCategory",
        {201: StaffCategorySerializer},
        takes=CategoryInputSerializer,
        problems=[Code.CONFLICT],
    )
    @transaction.atomic
    def post(self, request: Request) -> Response:
        """Create a category, at the top or below another."""
        asked = self.read(CategoryInputSerializer)
        asked.setdefault("slug", slugify(asked["name"])[:50])
        category = self.save(CategoryForm, Category(), _with_parent(asked))
        return Response(StaffCategorySerializer(category).data, status=201)


class CategoryDetail(CatalogView):
    rights = {
        "GET": "shop.view_category",
        "PATCH": "shop.change_category",
        "DELETE": "shop.delete_category",
    }

    @operation("getCategory", {200: StaffCategorySerializer})
    def get(self, request: Request, slug: str) -> Response:
        """Show a category."""
        categories = Category.objects.select_related("parent")
        return Response(StaffCategorySerializer(get_object_or_404(categories, slug=slug)).data)

    @operation(
        "changeCategory",
        {200: StaffCategorySerializer},
        takes=CategoryInputSerializer,
        problems=[Code.CONFLICT],
    )
    @transaction.atomic
    def patch(self, request: Request, slug: str) -> Response:
        """Change a category. What is left out stays as it is."""
        asked = _with_parent(self.read(CategoryInputSerializer, partial=True))
        category = self.save(CategoryForm, _locked(Category.objects.all(), slug=slug), asked)
        return Response(StaffCategorySerializer(category).data)

    @operation("deleteCategory", {204: None}, problems=[Code.IN_USE])
    def delete(self, request: Request, slug: str) -> Response:
        """Delete a category that has no products and none below it."""
        return self.remove(get_object_or_404(Category, slug=slug))


def _with_parent(asked: dict[str, Any]) -> dict[str, Any]:
    """Return what is asked with the key of the parent that it names."""
    slug = asked.get("parent")
    return asked | {"parent": _category_id(slug, "parent")} if slug else asked


class StockMovements(CatalogView):
    rights = {"GET": "shop.view_stockmovement", "POST": "shop.move_stock"}
    pagination_class = NewestFirst

    @operation("listStockMovements", {200: MovementSerializer(many=True)}, query=MovementQuery)
    def get(self, request: Request) -> Response:
        """List what changed the stock, newest first."""
        movements = StockMovement.objects.select_related("variant")
        if sku := self.read_query(MovementQuery).get("sku"):
            movements = movements.filter(variant__sku=sku)
        return self.listed(movements, MovementSerializer)

    @operation(
        "moveStock",
        {201: StockSerializer},
        takes=MoveSerializer,
        problems=[Code.NOT_FOUND, Code.STOCK_HELD],
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Receive units, or correct the count. Answers with the counters afterwards."""
        asked = self.read(MoveSerializer)
        variant = get_object_or_404(Variant, sku=asked["sku"])
        told: dict[str, Any] = {
            "variant_id": variant.pk,
            "at": now(),
            "moved_by_id": request.user.pk,
            "form_key": key_of(request),
        }
        if asked["kind"] == StockMovement.Kind.RECEIVED:
            services.receive(quantity=asked["units"], reference=asked["reference"], **told)
        else:
            services.adjust(difference=asked["units"], reason=asked["reference"], **told)
        variant.refresh_from_db()
        return Response(StockSerializer(variant).data, status=201)

    def problem_of(self, error: Exception) -> Problem | None:
        if isinstance(error, services.InsufficientStock):
            free = error.shortages[0].free
            return Problem(Code.STOCK_HELD, f"Only {free} units are free.")
        return super().problem_of(error)
