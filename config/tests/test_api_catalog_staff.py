"""The catalog, its pictures, its stock and people, for staff, as JSON."""

import io
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from accounts.tests.factories import UserFactory, a_clerk
from accounts.tests.tokens import caller_as
from api.tests.calls import Caller, assert_problem, fields_of
from orders.tests.factories import PendingOrderFactory
from shop import publishing
from shop.clock import now
from shop.models import Category, PriceChange, Product, ProductImage, StockMovement, Variant
from shop.tests.factories import (
    CategoryFactory,
    ProductFactory,
    ProductImageFactory,
    VariantFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk(boss: User) -> Caller:
    return caller_as(boss)


def picture(size: tuple[int, int] = (60, 90)) -> SimpleUploadedFile:
    file = io.BytesIO()
    Image.new("RGB", size, "teal").save(file, "PNG")
    return SimpleUploadedFile("cover.png", file.getvalue(), "image/png")


def upload(clerk: Caller, path: str, **fields: object) -> Any:
    headers = clerk.headers | {"Idempotency-Key": str(uuid4())}
    return Client().post(f"/api/{path}", fields, headers=headers)


def test_a_product_is_made_sold_changed_and_taken_off_sale(clerk: Caller) -> None:
    CategoryFactory(slug="fiction")
    body = {"title": "Emma", "category": "fiction", "attributes": {"Author": "Jane Austen"}}

    made = clerk.post("admin/products/", body)
    variant = clerk.post(
        "admin/products/emma/variants/", {"sku": "EMMA/H", "title": "Hardcover", "price": 1_999}
    )
    delivery = {"sku": "EMMA/H", "kind": "received", "units": 4, "reference": "DHL 7"}
    moved = clerk.post("admin/stock-movements/", delivery)

    assert (made.status_code, variant.status_code, moved.status_code) == (201, 201, 201)
    assert (made.json()["slug"], made.json()["is_published"]) == ("emma", True)
    assert moved.json() == {
        "sku": "EMMA/H",
        "title": "Hardcover",
        "price": {"amount": 1_999, "currency": "EUR", "formatted": "€19.99"},
        "position": 0,
        "is_active": True,
        "on_hand": 4,
        "reserved": 0,
        "free": 4,
        "low_stock_at": None,
    }
    assert Caller().get("products/emma/").json()["variants"][0]["free"] == 4

    changed = clerk.patch("admin/products/emma/", {"title": "Emma, again", "slug": "emma-2"})
    cheaper = clerk.patch("admin/variants/EMMA/H/", {"price": 999})
    assert (changed.json()["title"], changed.json()["attributes"]) == (
        "Emma, again",
        {"Author": "Jane Austen"},
    )
    assert (cheaper.json()["price"]["amount"], cheaper.json()["on_hand"]) == (999, 4)
    assert clerk.patch("admin/products/emma-2/", {"is_published": False}).status_code == 200
    assert_problem(Caller().get("products/emma-2/"), 404, "not_found")
    # History knows who.
    entries = LogEntry.objects.order_by("pk").values_list("change_message", flat=True)
    assert list(entries) == [
        "By the API: attributes, category, description, is_published, publish_at, slug, title",
        "By the API: is_active, low_stock_at, position, price, sku, title",
        "By the API: slug, title",
        "By the API: price",
        "By the API: is_published",
    ]


def test_what_was_ever_in_stock_is_kept(clerk: Caller) -> None:
    variant: Variant = VariantFactory(sku="EMMA-H")
    path = f"admin/products/{variant.product.slug}/"

    assert_problem(clerk.delete(path), 409, "in_use")
    assert_problem(clerk.delete("admin/variants/EMMA-H/"), 409, "in_use")
    assert_problem(
        clerk.delete(f"admin/categories/{variant.product.category.slug}/"), 409, "in_use"
    )

    assert (Product.objects.count(), Variant.objects.count(), Category.objects.count()) == (1, 1, 1)
    assert LogEntry.objects.count() == 0


def test_publication_is_scheduled_and_two_states_at_once_are_refused(clerk: Caller) -> None:
    product = ProductFactory(slug="emma", is_published=False)
    later = "2030-12-01T08:00:00Z"

    answer = clerk.patch("admin/products/emma/", {"publish_at": later})
    assert (answer.status_code, answer.json()["publish_at"]) == (200, later)
    both = assert_problem(
        clerk.patch("admin/products/emma/", {"is_published": True}), 422, "invalid"
    )
    publishing.archive(product_id=product.pk, at=now())
    old = assert_problem(
        clerk.patch("admin/products/emma/", {"is_published": True}), 422, "invalid"
    )

    assert fields_of(both) == {"publish_at": "invalid"}
    assert fields_of(old) == {"is_published": "invalid"}
    assert clerk.get("admin/products/emma/").json()["archived_at"] is not None
    assert Product.objects.get().is_published is False


def test_a_price_that_is_changed_is_in_its_history(clerk: Caller, boss: User) -> None:
    VariantFactory(sku="EMMA-H", price_minor=1_200)

    for change in ({"price": 999}, {"price": 999}, {"title": "Leather", "low_stock_at": 3}):
        assert clerk.patch("admin/variants/EMMA-H/", change).status_code == 200

    line = PriceChange.objects.get()
    assert (line.old_minor, line.new_minor, line.why) == (1_200, 999, "by the API")
    assert line.by_user_id == boss.pk
    assert Variant.objects.get().low_stock_at == 3


def test_who_may_change_variants_need_not_be_one_who_moves_stock() -> None:
    VariantFactory(sku="EMMA-H", on_hand=0)
    delivery = {"sku": "EMMA-H", "kind": "received", "units": 4, "reference": "DHL 7"}

    refused = caller_as(a_clerk("change_variant|add_stockmovement"))
    allowed = caller_as(a_clerk("move_stock"))

    assert_problem(refused.post("admin/stock-movements/", delivery), 403, "forbidden")
    assert allowed.post("admin/stock-movements/", delivery).status_code == 201
    assert_problem(allowed.patch("admin/variants/EMMA-H/", {"price": 1}), 403, "forbidden")
    assert StockMovement.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, {"title": "required", "category": "required"}),
        ({"title": "Emma", "category": "nowhere"}, {"category": "does_not_exist"}),
        ({"title": "Emma", "category": "fiction", "slug": "a b"}, {"slug": "invalid"}),
        ({"title": "Emma", "category": "fiction", "slug": "taken"}, {"slug": "unique"}),
        ({"title": "???", "category": "fiction"}, {"slug": "required"}),
        (
            {"title": "Emma", "category": "fiction", "attributes": {"Pages": 1}},
            {"attributes.Pages": "invalid"},
        ),
        ({"title": "Emma", "category": "fiction", "is_published": 1}, {"is_published": "invalid"}),
    ],
)
def test_a_product_that_makes_no_sense(clerk: Caller, body: object, wrong: dict[str, str]) -> None:
    ProductFactory(slug="taken", category=CategoryFactory(slug="fiction"))

    problem = assert_problem(clerk.post("admin/products/", body), 422, "invalid")

    assert fields_of(problem) == wrong
    assert Product.objects.count() == 1


def test_a_change_leaves_alone_what_it_does_not_name(clerk: Caller) -> None:
    variant: Variant = VariantFactory(on_hand=3, position=2)
    product = variant.product
    Product.objects.update(description="A book.")
    PendingOrderFactory(quantities={variant: 1})

    clerk.patch(f"admin/variants/{variant.sku}/", {"title": "Leather"})
    clerk.patch(f"admin/products/{product.slug}/", {})

    variant.refresh_from_db()
    assert (variant.title, variant.position, variant.on_hand, variant.reserved) == (
        "Leather",
        2,
        3,
        1,
    )
    product.refresh_from_db()
    assert product.description == "A book."


def test_pictures_are_added_changed_and_taken_away(clerk: Caller) -> None:
    product = ProductFactory(slug="emma")

    added = upload(clerk, "admin/products/emma/images/", image=picture(), alt="The sea")

    assert added.status_code == 201, added.content
    shown = added.json()
    assert (shown["width"], shown["height"], shown["alt"], shown["position"]) == (
        60,
        90,
        "The sea",
        0,
    )
    path = f"admin/products/emma/images/{shown['name']}/"
    assert clerk.patch(path, {"alt": "The shore"}).json()["alt"] == "The shore"
    assert clerk.get("admin/products/emma/").json()["images"][0]["name"] == shown["name"]
    assert_problem(clerk.patch("admin/products/other/images/x/", {"alt": ""}), 404, "not_found")
    assert clerk.delete(path).status_code == 204
    assert product.images.count() == 0
    assert LogEntry.objects.count() == 3


def test_what_is_no_picture_is_refused(clerk: Caller) -> None:
    ProductFactory(slug="emma")
    text = SimpleUploadedFile("cover.png", b"not a picture", "image/png")

    refused = upload(clerk, "admin/products/emma/images/", image=text)
    missing = upload(clerk, "admin/products/emma/images/", alt="The sea")

    assert list(fields_of(assert_problem(refused, 422, "invalid"))) == ["image"]
    assert fields_of(assert_problem(missing, 422, "invalid")) == {"image": "required"}
    assert ProductImage.objects.count() == 0


def test_categories_stand_in_a_tree(clerk: Caller) -> None:
    assert clerk.post("admin/categories/", {"name": "Fiction"}).status_code == 201
    below = {"name": "Classics", "parent": "fiction"}
    assert clerk.post("admin/categories/", below).json()["parent"] == "fiction"

    circle = clerk.patch("admin/categories/fiction/", {"parent": "classics"})
    nowhere = clerk.patch("admin/categories/fiction/", {"parent": "nowhere"})
    top = clerk.patch("admin/categories/classics/", {"parent": None})

    assert list(fields_of(assert_problem(circle, 422, "invalid"))) == ["parent"]
    assert fields_of(assert_problem(nowhere, 422, "invalid")) == {"parent": "does_not_exist"}
    assert top.json()["parent"] is None
    assert clerk.delete("admin/categories/classics/").status_code == 204


def test_the_count_is_corrected_but_never_below_what_orders_hold(clerk: Caller, boss: User) -> None:
    variant: Variant = VariantFactory(sku="EMMA-H", on_hand=3)
    PendingOrderFactory(quantities={variant: 2})
    loss = {"sku": "EMMA-H", "kind": "adjusted", "units": -1, "reference": "Damp."}

    done = clerk.post("admin/stock-movements/", loss, key="k")
    again = clerk.post("admin/stock-movements/", loss, key="k")
    too_much = clerk.post("admin/stock-movements/", loss)

    assert done.json() == again.json()
    assert (done.json()["on_hand"], done.json()["reserved"], done.json()["free"]) == (2, 2, 0)
    problem = assert_problem(too_much, 409, "stock_held")
    assert problem["detail"] == "Only 0 units are free."
    movement = StockMovement.objects.filter(kind="adjusted").get()
    assert (movement.on_hand_delta, movement.moved_by_id) == (-1, boss.pk)
    listed = clerk.get("admin/stock-movements/?sku=EMMA-H").json()["results"]
    assert [row["kind"] for row in listed] == ["adjusted", "reserved", "received"]


@pytest.mark.parametrize(
    ("kind", "units"), [("received", 0), ("received", -1), ("adjusted", 0), ("sold", 1)]
)
def test_a_movement_that_makes_no_sense(clerk: Caller, kind: str, units: int) -> None:
    VariantFactory(sku="EMMA-H", on_hand=0)
    body = {"sku": "EMMA-H", "kind": kind, "units": units, "reference": "x"}

    problem = assert_problem(clerk.post("admin/stock-movements/", body), 422, "invalid")

    assert list(fields_of(problem)) == ["kind" if kind == "sold" else "units"]
    assert StockMovement.objects.count() == 0


def test_products_are_found_at_the_same_cost(
    clerk: Caller, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    fiction = CategoryFactory(slug="fiction")
    emma = ProductFactory(title="Emma", category=fiction)
    ProductFactory(title="Sanditon", is_published=False)
    for product in Product.objects.all():
        ProductImageFactory(product=product)
        VariantFactory(product=product, sku=f"SKU {product.title}")

    def titles(query: str) -> list[str]:
        with django_assert_num_queries(5):
            found = clerk.get(f"admin/products/{query}").json()
        return [product["title"] for product in found["results"]]

    assert titles("") == ["Sanditon", "Emma"]
    assert titles("?search=emm") == titles("?search=ku%20em") == [emma.title]
    assert titles("?category=fiction") == titles("?is_published=true") == ["Emma"]


def test_people_are_found_and_their_accounts_closed(clerk: Caller, boss: User) -> None:
    ada = UserFactory(email="ada@example.com", name="Ada")
    UserFactory(email="grace@example.com", is_active=False)

    def emails(query: str) -> list[str]:
        found = clerk.get(f"admin/users/{query}").json()["results"]
        return [user["email"] for user in found]

    assert emails("?search=ADA") == ["ada@example.com"]
    assert emails("?is_active=false") == ["grace@example.com"]
    assert emails("?is_staff=true") == [boss.email]
    path = f"admin/users/{ada.public_id}/"
    assert "password" not in clerk.get(path).json()
    bearer = caller_as(ada)
    assert clerk.post(f"{path}deactivate/").json()["is_active"] is False
    assert_problem(bearer.get("auth/me/"), 401, "bad_token")
    assert LogEntry.objects.get().change_message == "Deactivated"
    own = clerk.post(f"admin/users/{boss.public_id}/deactivate/")
    assert_problem(own, 409, "not_deactivatable")
