"""The catalog in the admin: prices as people write them, and stock by movements only."""

import io
import re
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image
from procrastinate.contrib.django.models import ProcrastinateJob

from shop import services
from shop.admin_forms import VariantForm
from shop.clock import now
from shop.models import Product, StockMovement, Variant
from shop.tests.clerks import clerk_who_may
from shop.tests.factories import CategoryFactory, ProductImageFactory, VariantFactory

pytestmark = pytest.mark.django_db


def _product_form(product: Product | None = None, **fields: Any) -> dict[str, Any]:
    """Return what the browser posts for a product with no inline rows, and `fields` on top."""
    form = {
        "title": "Emma",
        "slug": "emma",
        "category": product.category_id if product else CategoryFactory().pk,
        "is_published": "on",
        "description": "",
        "attributes": '{"Author": "Jane Austen"}',
    }
    for rows in ("variants", "images"):
        form |= {f"{rows}-TOTAL_FORMS": 0, f"{rows}-INITIAL_FORMS": 0}
    return form | fields


def _variant_row(variant: Variant | None = None, **fields: Any) -> dict[str, Any]:
    row = {"sku": "EMMA-1", "title": "Hardcover", "price": "12.34", "position": 0}
    row |= {"is_active": "on", "id": variant.pk if variant else ""} | fields
    counts = {"variants-TOTAL_FORMS": 1, "variants-INITIAL_FORMS": int(variant is not None)}
    return counts | {f"variants-0-{name}": value for name, value in row.items()}


def _image_row(upload: SimpleUploadedFile) -> dict[str, Any]:
    return {"images-TOTAL_FORMS": 1, "images-0-image": upload, "images-0-position": 0}


def _upload(image: Image.Image, name: str = "cover.png") -> SimpleUploadedFile:
    """Return a PNG as the browser sends it, under whatever name."""
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return SimpleUploadedFile(name, stream.getvalue(), content_type="image/png")


def test_a_new_product_gets_its_time_currency_and_exact_price(staff: Client) -> None:
    answer = staff.post(reverse("admin:shop_product_add"), _product_form(**_variant_row()))

    assert answer.status_code == 302
    variant = Variant.objects.select_related("product").get()
    assert (variant.price_minor, variant.currency, variant.on_hand) == (12_34, "EUR", 0)
    assert variant.product.created_at is not None
    assert variant.product.attributes == {"Author": "Jane Austen"}


@pytest.mark.parametrize("price", ["12.345", "-1", "", "NaN", "1e30", "twelve"])
def test_a_price_that_is_no_amount_of_the_currency_is_refused(staff: Client, price: str) -> None:
    form = _product_form(**_variant_row(price=price))

    answer = staff.post(reverse("admin:shop_product_add"), form)

    assert answer.status_code == 200
    assert answer.context["errors"]
    assert not Product.objects.exists()


@pytest.mark.parametrize(
    ("currency", "minor", "shown", "typed"),
    [("EUR", 12_30, Decimal("12.30"), "0.05"), ("JPY", 500, Decimal(500), "5")],
)
def test_prices_are_read_and_written_in_the_variants_own_currency(
    currency: str, minor: int, shown: Decimal, typed: str
) -> None:
    variant = VariantFactory(currency=currency, price_minor=minor)

    form = VariantForm(
        {"sku": variant.sku, "title": variant.title, "price": typed, "position": 0},
        instance=variant,
    )

    assert form.initial["price"] == shown
    assert form.is_valid()
    form.save()
    form.change_price(why="test", by_user_id=1, at=now())
    variant.refresh_from_db()
    assert variant.price_minor == 5


def test_counters_are_no_fields_and_posting_them_changes_nothing(staff: Client) -> None:
    variant = VariantFactory(on_hand=10)
    address = reverse("admin:shop_product_change", args=[variant.product.pk])
    row = _variant_row(variant, on_hand=99, reserved=9, currency="USD", price_minor=1)

    page = staff.get(address)
    answer = staff.post(address, _product_form(variant.product, **row))

    fields = page.context["inline_admin_formsets"][0].formset.forms[0].fields
    typed = {"sku", "title", "price", "seen_minor", "position", "is_active", "low_stock_at"}
    assert set(fields) == typed | {"id", "product"}
    assert answer.status_code == 302
    variant.refresh_from_db()
    assert (variant.on_hand, variant.reserved, variant.currency) == (10, 0, "EUR")
    assert (variant.sku, variant.price_minor) == ("EMMA-1", 12_34)


def test_an_empty_row_that_dragging_has_numbered_is_no_variant(staff: Client) -> None:
    row = _variant_row(sku="", title="", price="", position=2)

    answer = staff.post(reverse("admin:shop_product_add"), _product_form(**row))

    assert answer.status_code == 302
    assert not Variant.objects.exists()


def test_saving_a_variant_does_not_write_back_counters_that_moved_meanwhile() -> None:
    variant = VariantFactory(on_hand=10)
    form = VariantForm(
        {"sku": variant.sku, "title": "Hardcover", "price": "9", "position": 0}, instance=variant
    )
    assert form.is_valid()
    services.reserve(quantities={variant.pk: 3}, reference="ORDER", at=now())

    form.save()

    stored = Variant.objects.get(pk=variant.pk)
    assert (stored.title, stored.on_hand, stored.reserved) == ("Hardcover", 10, 3)


def test_an_upload_that_is_no_picture_is_a_form_error(staff: Client) -> None:
    upload = SimpleUploadedFile("cover.png", b"not a picture", content_type="image/png")
    form = _product_form() | _image_row(upload)

    answer = staff.post(reverse("admin:shop_product_add"), form)

    assert answer.status_code == 200
    assert "This is not a JPEG, PNG, WebP or AVIF picture." in str(answer.context["errors"])
    assert not Product.objects.exists()


def test_a_picture_with_more_pixels_than_bytes_is_refused_and_nothing_is_written(
    staff: Client, settings: LazySettings, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    form = _product_form() | _image_row(_upload(Image.new("1", (14_000, 14_000))))

    answer = staff.post(reverse("admin:shop_product_add"), form)

    assert answer.status_code == 200
    assert "too many pixels: 25 megapixels" in str(answer.context["errors"])
    assert not Product.objects.exists()
    assert not ProcrastinateJob.objects.filter(queue_name="images").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_picture_is_stored_with_its_size_under_a_name_that_says_what_it_is(
    staff: Client, settings: LazySettings, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    form = _product_form() | _image_row(_upload(Image.new("RGB", (30, 40)), name="cover.jpg"))

    answer = staff.post(reverse("admin:shop_product_add"), form)

    assert answer.status_code == 302
    image = Product.objects.get().images.get()
    assert (image.width, image.height) == (30, 40)
    assert re.fullmatch(r"products/[0-9a-f]{32}\.png", str(image.image))
    assert (tmp_path / str(image.image)).is_file()
    (job,) = ProcrastinateJob.objects.filter(queue_name="images")
    assert (job.args["image_id"], job.args["original"]) == (image.pk, "")


def test_a_picture_is_replaced_and_its_file_given_up(staff: Client) -> None:
    image = ProductImageFactory()
    before = str(image.image)
    row = _image_row(_upload(Image.new("RGB", (30, 40))))
    row |= {"images-INITIAL_FORMS": 1, "images-0-id": image.pk}
    address = reverse("admin:shop_product_change", args=[image.product.pk])

    answer = staff.post(address, _product_form(image.product) | row)

    assert answer.status_code == 302
    image.refresh_from_db()
    assert (image.width, image.height) == (30, 40)
    job = ProcrastinateJob.objects.filter(queue_name="images").order_by("pk")[1]
    assert (job.args["image_id"], job.args["original"]) == (image.pk, before)


@pytest.mark.parametrize("attributes", ['["Author"]', '{"Pages": 3}', "{", '"text"'])
def test_attributes_are_names_with_texts(staff: Client, attributes: str) -> None:
    answer = staff.post(reverse("admin:shop_product_add"), _product_form(attributes=attributes))

    assert answer.status_code == 200
    assert "attributes" in answer.context["adminform"].form.errors
    assert not Product.objects.exists()


def test_a_category_cannot_stand_below_itself(staff: Client) -> None:
    top = CategoryFactory()
    below = CategoryFactory(parent=top)

    answer = staff.post(
        reverse("admin:shop_category_change", args=[top.pk]),
        {"name": top.name, "slug": top.slug, "parent": below.pk, "position": 0},
    )

    assert answer.status_code == 200
    top.refresh_from_db()
    assert top.parent is None


def _stock_address(variant: Variant, act: str) -> str:
    return reverse(f"admin:shop_variant_{act}", args=[variant.pk])


def _sent() -> dict[str, str]:
    """Return what every dialog sends beside what staff fill in."""
    return {"form_key": str(uuid4()), "_form_submitted": "True"}


def test_units_are_received_by_a_movement_that_names_who(staff: Client, boss: Any) -> None:
    variant = VariantFactory(on_hand=0)

    answer = staff.post(
        _stock_address(variant, "receive"),
        {"quantity": 7, "reference": "Delivery 12", **_sent()},
    )

    page = reverse("admin:shop_variant_change", args=[variant.pk])
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (200, page)
    variant.refresh_from_db()
    assert variant.on_hand == 7
    movement = StockMovement.objects.get()
    assert (movement.kind, movement.reference, movement.moved_by_id) == (
        "received",
        "Delivery 12",
        boss.pk,
    )
    assert boss.email in staff.get(page).content.decode()


def test_counts_are_adjusted_with_a_reason(staff: Client, boss: Any) -> None:
    variant = VariantFactory(on_hand=10)

    staff.post(
        _stock_address(variant, "adjust"),
        {"difference": -2, "reason": "Water damage", **_sent()},
    )

    variant.refresh_from_db()
    assert variant.on_hand == 8
    movement = variant.movements.first()
    assert movement is not None
    assert (movement.kind, movement.reference, movement.moved_by_id) == (
        "adjusted",
        "Water damage",
        boss.pk,
    )


@pytest.mark.parametrize("act", ["receive", "adjust"])
def test_a_form_that_is_sent_twice_moves_stock_once(staff: Client, act: str) -> None:
    variant = VariantFactory(on_hand=10)
    address = _stock_address(variant, act)
    shown = staff.get(address).content.decode()
    (key,) = re.findall(r'name="form_key" value="([0-9a-f-]{36})"', shown)
    form = {"quantity": 5, "difference": 5, "reference": "x", "reason": "x"}
    form |= {"form_key": key, "_form_submitted": "True"}

    answers = [staff.post(address, form) for _ in range(2)]

    variant.refresh_from_db()
    assert (variant.on_hand, variant.movements.count()) == (15, 2)
    page = reverse("admin:shop_variant_change", args=[variant.pk])
    assert [answer.headers["HX-Redirect"] for answer in answers] == [page, page]
    assert "Nothing was moved a second time" in staff.get(page).content.decode()


def test_units_that_orders_hold_cannot_be_adjusted_away(staff: Client) -> None:
    variant = VariantFactory(on_hand=10)
    services.reserve(quantities={variant.pk: 9}, reference="ORDER", at=now())

    staff.post(
        _stock_address(variant, "adjust"),
        {"difference": -2, "reason": "Lost", **_sent()},
    )

    variant.refresh_from_db()
    assert (variant.on_hand, variant.movements.count()) == (10, 2)
    page = staff.get(reverse("admin:shop_variant_change", args=[variant.pk]))
    assert "only 1 units" in page.content.decode()


@pytest.mark.parametrize(
    ("act", "form"),
    [
        ("receive", {"quantity": 0, "reference": "x"}),
        ("receive", {"quantity": 5, "reference": ""}),
        ("adjust", {"difference": 0, "reason": "x"}),
        ("adjust", {"difference": -1, "reason": ""}),
    ],
)
def test_incomplete_movements_are_asked_for_again(
    staff: Client, act: str, form: dict[str, Any]
) -> None:
    variant = VariantFactory(on_hand=10)

    answer = staff.post(_stock_address(variant, act), form | _sent())

    assert "HX-Redirect" not in answer.headers
    assert variant.movements.count() == 1


@pytest.mark.parametrize("act", ["receive", "adjust"])
def test_asking_for_a_dialog_moves_nothing(staff: Client, act: str) -> None:
    variant = VariantFactory(on_hand=10)

    answer = staff.get(_stock_address(variant, act) + "?quantity=5&difference=5&reference=x")

    assert answer.status_code == 200
    assert variant.movements.count() == 1


@pytest.mark.parametrize("act", ["receive", "adjust"])
def test_an_unknown_variant_is_not_found(staff: Client, act: str) -> None:
    form = {"quantity": 5, "difference": 5, "reference": "x", "reason": "x"}

    for unknown in (12345, "abc"):
        address = reverse(f"admin:shop_variant_{act}", args=[unknown])
        answer = staff.post(address, form | _sent())
        assert answer.status_code == 404


@pytest.mark.parametrize("may", ["view_variant", "view_variant|change_variant|change_product"])
@pytest.mark.parametrize("act", ["receive", "adjust"])
def test_stock_is_moved_only_by_who_may_move_stock(may: str, act: str) -> None:
    client = clerk_who_may(may)
    variant = VariantFactory(on_hand=10)
    form = {"quantity": 5, "difference": 5, "reference": "x", "reason": "x"}

    page = client.get(reverse("admin:shop_variant_change", args=[variant.pk]))
    answer = client.post(_stock_address(variant, act), form | _sent())

    assert "Receive units" not in page.content.decode()
    assert (page.status_code, answer.status_code) == (200, 403)
    assert variant.movements.count() == 1


def test_who_moves_stock_need_not_be_one_who_sets_prices() -> None:
    client = clerk_who_may("view_variant|move_stock")
    variant = VariantFactory(on_hand=10)

    client.post(_stock_address(variant, "receive"), {"quantity": 5, "reference": "x"} | _sent())

    variant.refresh_from_db()
    assert variant.on_hand == 15


def test_neither_movements_nor_a_variant_with_movements_can_be_deleted(staff: Client) -> None:
    variant = VariantFactory(on_hand=10)
    movement = variant.movements.get()

    for address in (
        reverse("admin:shop_stockmovement_delete", args=[movement.pk]),
        reverse("admin:shop_variant_delete", args=[variant.pk]),
        reverse("admin:shop_stockmovement_add"),
    ):
        assert staff.post(address, {"post": "yes"}).status_code == 403
    staff.post(reverse("admin:shop_product_delete", args=[variant.product.pk]), {"post": "yes"})

    assert Variant.objects.filter(pk=variant.pk).exists()


def test_the_product_list_costs_the_same_however_long(
    staff: Client, django_assert_max_num_queries: Any
) -> None:
    for _ in range(25):
        VariantFactory(product__category=CategoryFactory())

    with django_assert_max_num_queries(9):
        answer = staff.get(reverse("admin:shop_product_changelist"))

    assert len(answer.context["cl"].result_list) == 25
