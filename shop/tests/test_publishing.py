"""Products come to the shelf by hand or by the clock, and leave it for the archive."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from shop import publishing, services, tasks
from shop.clock import now
from shop.models import Category, Product, ProductState, Variant
from shop.tests.clerks import clerk_who_may
from shop.tests.factories import (
    CategoryFactory,
    ProductFactory,
    ProductImageFactory,
    VariantFactory,
)
from shop.tests.locks import is_somebody_waiting
from shop.tests.waiting import wait_until

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LIST = "/admin/shop/product/"
SENT = {"_form_submitted": "True"}


def page_of(product: Product, action: str) -> str:
    return reverse(f"admin:shop_product_{action}", args=[product.pk])


def reread(product: Product) -> Product:
    return Product.objects.get(pk=product.pk)


def in_each_state() -> dict[str, Product]:
    """Return a product per state, by the state's name."""
    later = now() + timedelta(days=2)
    return {
        "published": ProductFactory(title="Published one"),
        "scheduled": ProductFactory(title="Later one", is_published=False, publish_at=later),
        "draft": ProductFactory(title="Draft one", is_published=False),
        "archived": ProductFactory(title="Old one", is_published=False, archived_at=now()),
    }


def product_form(product: Product, **fields: Any) -> dict[str, Any]:
    form = {
        "title": product.title,
        "slug": product.slug,
        "category": product.category_id,
        "attributes": "{}",
    }
    for rows in ("variants", "images"):
        form |= {f"{rows}-TOTAL_FORMS": 0, f"{rows}-INITIAL_FORMS": 0}
    return form | fields


def test_what_is_due_is_published_and_no_other() -> None:
    due = ProductFactory(is_published=False, publish_at=NOON)
    early = ProductFactory(is_published=False, publish_at=NOON + timedelta(seconds=1))
    draft = ProductFactory(is_published=False)

    assert [publishing.publish_due(at=NOON) for _ in range(2)] == [1, 0]

    assert (reread(due).is_published, reread(due).publish_at) == (True, None)
    assert not reread(early).is_published
    assert not reread(draft).is_published


def test_the_job_publishes() -> None:
    VariantFactory(product__is_published=False, product__publish_at=now() - timedelta(seconds=1))

    tasks.publish_due(timestamp=0)

    assert Product.objects.on_sale().count() == 1


def test_every_product_is_in_the_one_state_that_its_row_says() -> None:
    products = in_each_state()

    for name, product in products.items():
        assert product.state == name
        assert list(Product.objects.in_state(ProductState(name))) == [product]


@pytest.mark.parametrize(
    "fields",
    [
        {"is_published": True, "publish_at": NOON},
        {"is_published": True, "archived_at": NOON},
        {"is_published": False, "publish_at": NOON, "archived_at": NOON},
    ],
)
def test_two_states_at_once_are_refused_by_the_database(fields: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        ProductFactory(**fields)

    assert not Product.objects.exists()


def test_publication_is_scheduled_and_called_off_on_the_form(staff: Client) -> None:
    product = ProductFactory(is_published=False)
    address = page_of(product, "change")
    date = {"publish_at_0": "2030-12-01", "publish_at_1": "08:00"}

    assert staff.post(address, product_form(product, **date)).status_code == 302
    assert reread(product).publish_at == datetime(2030, 12, 1, 8, tzinfo=UTC)
    assert "Scheduled for 1 December 2030, 08:00 UTC" in staff.get(LIST).content.decode()
    assert staff.post(address, product_form(product)).status_code == 302

    assert reread(product).state == ProductState.DRAFT


def test_publishing_at_once_and_on_a_date_is_a_choice_to_make(staff: Client) -> None:
    product = ProductFactory(is_published=False)
    form = product_form(product, is_published="on")
    form |= {"publish_at_0": "2030-12-01", "publish_at_1": "08:00"}

    answer = staff.post(page_of(product, "change"), form)

    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors["publish_at"] == [
        "Publish it now or on this date: take one of the two."
    ]
    assert reread(product).state == ProductState.DRAFT


def test_a_product_is_archived_and_comes_back_as_a_draft(staff: Client) -> None:
    product = VariantFactory(product__title="Emma").product

    archived = staff.post(page_of(product, "archive"), SENT)
    assert archived.headers["HX-Redirect"] == LIST
    assert reread(product).state == ProductState.ARCHIVED
    assert not Product.objects.on_sale().exists()
    assert staff.get(product.get_absolute_url()).status_code == 404
    restored = staff.post(page_of(product, "restore"), SENT)

    assert restored.headers["HX-Redirect"] == page_of(product, "change")
    assert reread(product).state == ProductState.DRAFT
    words = LogEntry.objects.order_by("pk").values_list("change_message", flat=True)
    assert list(words) == ["Archived", "Restored"]


def test_archiving_calls_off_what_is_scheduled() -> None:
    product = in_each_state()["scheduled"]

    done = [publishing.archive(product_id=product.pk, at=NOON) for _ in range(2)]

    assert done == [True, False]
    assert (reread(product).publish_at, reread(product).archived_at) == (None, NOON)
    assert publishing.publish_due(at=NOON + timedelta(days=99)) == 0


@pytest.mark.parametrize(
    "fields",
    [{"is_published": "on"}, {"publish_at_0": "2030-12-01", "publish_at_1": "08:00"}],
)
def test_what_is_archived_is_restored_before_it_is_published(
    staff: Client, fields: dict[str, str]
) -> None:
    product = in_each_state()["archived"]

    answer = staff.post(page_of(product, "change"), product_form(product, **fields))

    assert answer.status_code == 200
    assert "This product is archived. Restore it first." in answer.content.decode()
    assert reread(product).state == ProductState.ARCHIVED


def test_the_buttons_are_those_that_fit_the_state(staff: Client) -> None:
    products = in_each_state()

    live = staff.get(page_of(products["published"], "change")).content.decode()
    old = staff.get(page_of(products["archived"], "change")).content.decode()

    assert ("/archive/" in live, "/restore/" in live) == (True, False)
    assert ("/archive/" in old, "/restore/" in old) == (False, True)
    assert staff.post(page_of(products["archived"], "archive"), SENT).status_code == 403
    assert staff.post(page_of(products["published"], "restore"), SENT).status_code == 403


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ({}, {"Published one", "Later one", "Draft one"}),
        ({"state": "published"}, {"Published one"}),
        ({"state": "scheduled"}, {"Later one"}),
        ({"state": "draft"}, {"Draft one"}),
        ({"state": "archived"}, {"Old one"}),
        ({"state": "nonsense"}, {"Published one", "Later one", "Draft one"}),
        ({"state": "archived", "q": "one"}, {"Old one"}),
    ],
)
def test_the_list_leaves_out_what_is_archived_unless_asked(
    staff: Client, query: dict[str, str], titles: set[str]
) -> None:
    in_each_state()

    found = staff.get(LIST, query).context["cl"].result_list

    assert {product.title for product in found} == titles


def test_the_list_is_searched_by_title_and_sku_and_cut_to_what_is_low(staff: Client) -> None:
    VariantFactory(sku="EMMA-H", product__title="Emma", on_hand=1)
    VariantFactory(sku="WALDEN-P", product__title="Walden", on_hand=50)

    def listed(**query: str) -> list[str]:
        return [p.title for p in staff.get(LIST, query).context["cl"].result_list]

    assert listed(q="walden-p") == listed(q="Wald") == listed(q="WALDEN") == ["Walden"]
    assert listed(q="lde") == ["Walden"]
    assert listed(q="Emma walden") == listed(q="%") == listed(q="'") == []
    assert listed(stock="low") == ["Emma"]


def test_a_row_shows_the_range_of_prices_what_is_free_and_a_small_cover(staff: Client) -> None:
    product = ProductImageFactory(product__title="Emma").product
    for price_minor, on_hand in ((12_00, 3), (8_50, 40)):
        VariantFactory(product=product, price_minor=price_minor, on_hand=on_hand)
    VariantFactory(product=product, price_minor=1_00, is_active=False, on_hand=7)

    page = staff.get(LIST).content.decode()

    assert "€8.50 to €12.00" in page
    assert "43, low" in page
    assert product.images.get().image.url in page


def test_the_list_costs_the_same_however_long(
    staff: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(12):
        VariantFactory(product=ProductImageFactory().product)

    with django_assert_max_num_queries(9):
        answer = staff.get(LIST, {"q": "Product"})

    assert len(answer.context["cl"].result_list) == 12


def test_what_was_never_in_stock_is_deleted_and_all_else_only_archived(staff: Client) -> None:
    fresh = VariantFactory(on_hand=0).product
    used = VariantFactory(on_hand=1).product
    pages = [staff.get(page_of(product, "change")).content.decode() for product in (fresh, used)]

    answers = [staff.post(page_of(p, "delete"), {"post": "yes"}) for p in (fresh, used)]

    assert [f"{p.pk}/delete/" in page for p, page in zip((fresh, used), pages, strict=True)] == [
        True,
        False,
    ]
    assert "archive it, do not delete it" in pages[1]
    assert [answer.status_code for answer in answers] == [302, 403]
    assert list(Product.objects.all()) == [used]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("model", ["product", "variant"])
def test_what_comes_into_stock_while_it_is_deleted_stays(boss: Any, model: str) -> None:
    variant = VariantFactory(on_hand=0)
    pk = variant.pk if model == "variant" else variant.product_id
    address = reverse(f"admin:shop_{model}_delete", args=[pk])
    staff = Client()
    staff.force_login(boss)

    def delete() -> int:
        try:
            return staff.post(address, {"post": "yes"}).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as other:
        with transaction.atomic():
            services.receive(variant_id=variant.pk, quantity=1, reference="first", at=NOON)
            answer = other.submit(delete)
            wait_until(is_somebody_waiting)
        assert answer.result() == 302

    assert Variant.objects.get().on_hand == 1
    assert "it came into stock meanwhile" in staff.get(LIST).content.decode()


@pytest.mark.parametrize("model", ["product", "variant", "category"])
def test_nothing_is_deleted_by_the_list(staff: Client, model: str) -> None:
    variant = VariantFactory(on_hand=0)
    keys = {"product": variant.product_id, "variant": variant.pk}
    chosen = keys.get(model, variant.product.category_id)

    staff.post(
        reverse(f"admin:shop_{model}_changelist"),
        {"action": "delete_selected", "_selected_action": chosen, "post": "yes"},
    )

    assert (Product.objects.count(), Variant.objects.count()) == (1, 1)
    assert Category.objects.count() == 1


def test_only_an_empty_category_can_be_deleted(staff: Client) -> None:
    shelf = ProductFactory(category=CategoryFactory(parent=CategoryFactory())).category
    empty = CategoryFactory()

    statuses = [
        staff.post(reverse("admin:shop_category_delete", args=[c.pk]), {"post": "yes"}).status_code
        for c in (shelf, shelf.parent, empty)
    ]

    assert statuses == [403, 403, 302]


@pytest.mark.parametrize("action", ["archive", "restore", "duplicate"])
def test_nothing_happens_by_looking_at_a_dialog(staff: Client, action: str) -> None:
    state = "archived" if action == "restore" else "published"
    product = in_each_state()[state]

    assert staff.get(page_of(product, action)).status_code == 200

    assert reread(product).state == state
    assert Product.objects.count() == 4


@pytest.mark.parametrize("action", ["archive", "restore", "duplicate", "delete"])
def test_who_may_only_look_does_none_of_it(action: str) -> None:
    clerk = clerk_who_may("view_.*|change_order|move_stock")
    product = in_each_state()["archived" if action == "restore" else "published"]

    page = clerk.get(page_of(product, "change"))
    answer = clerk.post(page_of(product, action), SENT | {"post": "yes"})

    assert (page.status_code, answer.status_code) == (200, 403)
    assert f"/{action}/" not in page.content.decode()
    assert (reread(product).state, Product.objects.count()) == (product.state, 4)


@pytest.mark.parametrize("state", ["published", "scheduled", "draft", "archived"])
def test_a_product_is_seen_before_it_is_published_as_shoppers_will(state: str) -> None:
    clerk = clerk_who_may("view_product")
    product = in_each_state()[state]
    VariantFactory(product=product, title="Leather", on_hand=3)

    answer = clerk.get(page_of(product, "preview"))

    page = answer.content.decode()
    assert (answer.status_code, answer.headers["X-Robots-Tag"]) == (200, "noindex")
    assert '<meta name="robots" content="noindex">' in page
    assert f'<h1 class="product__title">{product.title}</h1>' in page
    assert "Leather" in page
    assert '<button class="button buy__button" disabled>' in page
    assert ("shoppers do not see this yet" in page) == (state != "published")
    assert "canonical" not in page


def test_a_preview_is_for_staff_who_may_see_products() -> None:
    product = ProductFactory(is_published=False)

    assert clerk_who_may("view_order").get(page_of(product, "preview")).status_code == 403
    assert Client().get(page_of(product, "preview")).status_code == 302


def test_the_shops_own_page_is_no_preview(client: Client) -> None:
    variant = VariantFactory()

    page = client.get(variant.product.get_absolute_url()).content.decode()

    assert "Preview" not in page
    assert "noindex" not in page
    assert '<button class="button buy__button">' in page
