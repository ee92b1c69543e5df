"""Variants with their products as a file, in the columns by which files are imported."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Func, QuerySet

from shop.categories import CategoryTree
from shop.csv_files import amount
from shop.exports import Sheet, in_portions
from shop.models import Product, Variant

_COLUMNS = (
    "sku",
    "title",
    "slug",
    "category",
    "description",
    "published",
    "variant",
    "price",
    "active",
    "low_stock_at",
    # An import does not read it: what was sold since would come back.
    "on_hand",
)


def sheet() -> Sheet:
    names = Func("attributes", function="jsonb_object_keys")
    facts = list(Product.objects.order_by().values_list(names, flat=True).distinct())
    facts.sort()
    header = (*_COLUMNS, *(f"attribute: {name}" for name in facts))

    def rows(variants: QuerySet[Variant]) -> Iterator[list[Any]]:
        tree = CategoryTree.load()
        read = variants.defer(None).defer("product__search").select_related("product")
        return (_row(variant, tree, facts) for variant in in_portions(read))

    return Sheet("products", header, rows)


def _row(variant: Variant, tree: CategoryTree, facts: list[str]) -> list[Any]:
    product = variant.product
    way = tree.path(tree.by_id[product.category_id])
    return [
        variant.sku,
        product.title,
        product.slug,
        " > ".join(category.name for category in way),
        product.description,
        _word(product.is_published),
        variant.title,
        amount(variant.price_minor, variant.currency),
        _word(variant.is_active),
        variant.low_stock_at,
        variant.on_hand,
        *(product.attributes.get(name, "") for name in facts),
    ]


def _word(is_so: bool) -> str:
    return "yes" if is_so else "no"
