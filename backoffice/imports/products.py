"""The rows of one product, written by the forms and services by which staff would do it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from django import forms
from django.db import transaction
from django.utils.text import Truncator, slugify

from backoffice.imports.columns import Values, facts
from shop import services
from shop.admin_forms import CategoryForm, ProductForm, VariantForm, to_minor
from shop.categories import CategoryTree
from shop.models import Category, Product, Variant
from shop.money import format_minor, to_decimal

# The fields of the forms whose columns have other names.
_COLUMNS_OF_PRODUCT = {"is_published": "published", "publish_at": "published"}
_COLUMNS_OF_VARIANT = {"title": "variant", "is_active": "active"}
_LONGEST_SHOWN = 60


@dataclass(slots=True)
class Line:
    """A row on its way in, and what came of it.

    `on_hand_seen` is what was on hand when `stock` was first compared with it. `changes` are lines
    of column, before and after, as staff read them; `adds` is "product", "variant" or nothing.
    Where there are problems nothing of the row was written.
    """

    values: Values
    on_hand_seen: int | None = None
    problems: list[str] = field(default_factory=list)
    changes: list[list[str]] = field(default_factory=list)
    adds: str = ""


@transaction.atomic
def write(lines: Sequence[Line], *, why: str, by: int, at: datetime) -> None:
    """Write the rows of one product as far as they have no problems, in the name of user `by`.

    Raises IntegrityError when somebody else adds the same at this moment.
    """
    variants = _locked_variants(lines)
    try:
        product = _product_of(lines, variants)
    except _Unfit as unfit:
        for line in lines:
            line.problems += line.values.problems or [str(unfit)]
        return
    judged = [(line, _judge(line, variants.get(line.values.sku), product)) for line in lines]
    said = _said_of_product([line for line, _form in judged if not line.problems])
    fit = [(line, form) for line, form in judged if not line.problems]
    if not fit:
        return
    first, is_new = fit[0][0], product.pk is None
    try:
        first.changes += _write_product(product, said, at=at)
    except _Unfit as unfit:
        for line, _form in fit:
            line.problems.append(str(unfit))
        return
    for line, form in fit:
        _write_variant(line, form, product, why=why, by=by, at=at)
    if is_new:
        first.adds = "product"


class _Unfit(Exception):
    """Nothing of the product can be written; `str(error)` says why."""


def _locked_variants(lines: Sequence[Line]) -> dict[str, Variant]:
    found = Variant.objects.filter(sku__in=[line.values.sku for line in lines])
    locked = services.lock(found.order_by().values_list("pk", flat=True))
    return {variant.sku: variant for variant in locked.values()}


def _product_of(lines: Sequence[Line], variants: dict[str, Variant]) -> Product:
    """Return the product that these rows belong to, locked; or a new one. Raises _Unfit."""
    products = Product.objects.select_for_update(no_key=True).defer("search")
    if variants:
        return products.get(pk=next(iter(variants.values())).product_id)
    slug = next((line.values.slug for line in lines if line.values.slug), "")
    if slug:
        return products.filter(slug=slug).first() or Product(slug=slug)
    title = next((line.values.product.get("title", "") for line in lines), "")
    if not title:
        raise _Unfit(
            "sku: there is none like this. A new product needs a title, a new variant the "
            "slug of its product."
        )
    made = slugify(title)[:200]
    if not made:
        raise _Unfit("slug: this title makes none. Fill it in.")
    if products.filter(slug=made).exists():
        raise _Unfit(
            f"slug: there is a product with {made} already. Fill it in if this is a variant of "
            "that, or another one for a new product."
        )
    return Product(slug=made)


def _judge(line: Line, variant: Variant | None, product: Product) -> VariantForm:
    """Return the row's form; what keeps the row from being written is among its problems."""
    values = line.values
    line.problems += values.problems
    if product.pk and values.slug not in ("", product.slug):
        line.problems.append(f"slug: this SKU belongs to {product.slug}.")
    if variant is None:
        position = product.variants.count() if product.pk else 0
        known: dict[str, Any] = {"sku": values.sku, "position": position, "is_active": True}
        variant = Variant(product=product)
    else:
        if variant.product_id != product.pk:
            line.problems.append("sku: it belongs to another product than the rows beside it.")
        known = forms.model_to_dict(variant, VariantForm.base_fields)
        known["price"] = to_decimal(variant.price_minor, variant.currency)
    before = forms.model_to_dict(variant)
    form = VariantForm(known | values.variant, instance=variant)
    # What could not be read is missing in the form, and is no second problem.
    line.problems += [] if values.problems else _problems(form, _COLUMNS_OF_VARIANT)
    if not line.problems:
        line.changes += _differences_of_variant(form, before)
        _judge_stock(line, variant)
    return form


def _differences_of_variant(form: VariantForm, before: dict[str, Any]) -> list[list[str]]:
    """Return what the form changes of what was `before`; all of it for a new variant."""
    variant, said = form.instance, form.cleaned_data
    code, is_new = variant.currency, form.instance.pk is None
    price_minor = to_minor(said["price"], code)
    pairs = [
        ("variant", before["title"], said["title"]),
        (
            "price",
            "" if is_new else format_minor(before["price_minor"], code),
            format_minor(price_minor, code),
        ),
        ("active", "" if is_new else _word(before["is_active"]), _word(said["is_active"])),
        ("low_stock_at", _text(before["low_stock_at"]), _text(said["low_stock_at"])),
    ]
    return _differing(pairs)


def _judge_stock(line: Line, variant: Variant) -> None:
    """Find out by how many units the row moves stock, and whether pending orders let it."""
    values = line.values
    if values.counted is not None:
        if line.on_hand_seen is None:
            line.on_hand_seen = variant.on_hand
        values.difference = values.counted - line.on_hand_seen
    if not values.difference:
        return
    left = variant.on_hand + values.difference
    if left < variant.reserved:
        line.problems.append(
            f"stock: {left} would be left, and pending orders hold {variant.reserved}."
        )
        return
    line.changes.append(["stock", "", f"{values.difference:+}"])


def _said_of_product(lines: Sequence[Line]) -> dict[str, Any]:
    """Return what the rows say of their product; one that contradicts another has a problem."""
    said: dict[str, Any] = {}
    for line in lines:
        for name, text in line.values.product.items():
            if said.setdefault(name, text) != text:
                line.problems.append(f"{name}: another row of this product says {said[name]!r}.")
    return said


def _write_product(product: Product, said: dict[str, Any], *, at: datetime) -> list[list[str]]:
    """Write what is said of the product; return what changed. Raises _Unfit."""
    is_new = product.pk is None
    if not said and not is_new:
        return []
    asked: dict[str, Any] = {k: said[k] for k in ("title", "description") if k in said}
    if "published" in said:
        asked["is_published"] = said["published"]
    if attributes := facts(said):
        asked["attributes"] = product.attributes | attributes
    if "category" in said:
        asked["category"] = _category(said["category"]).pk
    if is_new:
        product.is_published = False
    before = forms.model_to_dict(product, ProductForm.base_fields)
    form = ProductForm(before | asked, instance=product)
    if problems := _problems(form, _COLUMNS_OF_PRODUCT):
        raise _Unfit(" ".join(problems))
    changes = _differences_of_product(before, form.cleaned_data, is_new)
    if is_new:
        product.created_at = at
    if changes:
        form.save()
    return changes


def _differences_of_product(
    before: dict[str, Any], said: dict[str, Any], is_new: bool
) -> list[list[str]]:
    old, new = before["attributes"], said["attributes"]
    ways = CategoryTree.load() if before["category"] != said["category"].pk else None
    return _differing(
        [
            ("title", before["title"], said["title"]),
            ("slug", "" if is_new else before["slug"], said["slug"]),
            (
                "category",
                _way(ways, before["category"]) if ways else "",
                _way(ways, said["category"].pk) if ways else "",
            ),
            ("description", before["description"], said["description"]),
            (
                "published",
                "" if is_new else _word(before["is_published"]),
                _word(said["is_published"]),
            ),
            *((f"attribute: {name}", old.get(name, ""), new[name]) for name in new),
        ]
    )


def _category(way: str) -> Category:
    """Return the category of a name, or of the way to it; make what is missing. Raises _Unfit."""
    names = [name.strip() for name in way.split(">")]
    tree = CategoryTree.load()
    if len(names) == 1:
        found = [c for c in tree.by_id.values() if c.name.casefold() == way.casefold()]
        if len(found) > 1:
            raise _Unfit(f"category: there is more than one {way}. Write the way to it.")
        if found:
            return found[0]
    category: Category | None = None
    for depth, name in enumerate(names, start=1):
        below = tree.children.get(category.pk if category else None, [])
        same = (c for c in below if c.name.casefold() == name.casefold())
        category = next(same, None) or _new_category(names[:depth], category)
    return cast(Category, category)


def _new_category(names: list[str], parent: Category | None) -> Category:
    slug = slugify(names[-1])[:50]
    if Category.objects.filter(slug=slug).exists():
        slug = slugify(" ".join(names))[:50]
    asked = {"name": names[-1], "slug": slug, "parent": parent and parent.pk, "position": 0}
    form = CategoryForm(asked, instance=Category())
    if _problems(form, {}):
        raise _Unfit(f"category: {' > '.join(names)!r} is not the way to a category.")
    made: Category = form.save()
    return made


def _write_variant(
    line: Line, form: VariantForm, product: Product, *, why: str, by: int, at: datetime
) -> None:
    variant = form.instance
    if variant.pk is None:
        line.adds = "variant"
        variant.product = product
        form.save()
    elif line.changes:
        form.save()
        form.change_price(why=why, by_user_id=by, at=at)
    if line.values.difference:
        services.adjust(
            variant_id=variant.pk,
            difference=line.values.difference,
            reason=why,
            at=at,
            moved_by_id=by,
        )


def _problems(form: "forms.ModelForm[Any]", columns: dict[str, str]) -> list[str]:
    """Return what a form finds wrong, by the names of the columns."""
    return [
        f"{columns.get(name, name)}: {' '.join(str(words) for words in found)}"
        for name, found in form.errors.items()
    ]


def _differing(pairs: Sequence[tuple[str, str, str]]) -> list[list[str]]:
    return [
        [name, _short(before), _short(after)] for name, before, after in pairs if before != after
    ]


def _short(text: str) -> str:
    return Truncator(text).chars(_LONGEST_SHOWN)


def _word(is_so: bool) -> str:
    return "yes" if is_so else "no"


def _text(units: int | None) -> str:
    return "" if units is None else str(units)


def _way(tree: CategoryTree, pk: int | None) -> str:
    known = tree.by_id.get(pk or 0)
    return " > ".join(category.name for category in tree.path(known)) if known else ""
