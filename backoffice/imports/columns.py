"""What the columns of an import mean, and how their cells are written."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from backoffice.imports.files import Row, UnfitFile

PROBLEM = "problem"
# What stands in files of ours for people to read: an old count must not become the new one.
_ONLY_READ = {PROBLEM, "on_hand"}
_EXAMPLE = "attribute: Author"
# By name, with what whoever writes the file should know of it.
COLUMNS = {
    "sku": "Needed in each row. A SKU that is there already is changed, another is a new variant.",
    "title": "Of the product. Needed for a new one.",
    "slug": "The last part of the product's address. By it a new variant finds its product, and "
    "rows of one new product each other; a new product without it has one by its title.",
    "category": "A name, or the way to it, such as Fiction > Classics. What is missing is made. "
    "Needed for a new product.",
    "description": "Of the product.",
    "published": "yes or no. A new product is a draft unless this says yes.",
    _EXAMPLE: "A fact of the product. Any name may stand behind the colon.",
    "variant": "What sets the variant apart, such as Hardcover. Needed for a new one.",
    "price": "Such as 12.90 or 12,90. Needed for a new variant.",
    "active": "yes or no: whether the variant is offered.",
    "low_stock_at": "So few free units are low. 0 is never.",
    "stock": "Units on hand as counted. What is sold between the look and the import stays sold.",
    "stock_change": "Units to add or, below zero, to take off; instead of stock.",
}
_KNOWN = {*COLUMNS, *_ONLY_READ} - {_EXAMPLE}
_ATTRIBUTE = re.compile(r"attribute:\s*(\S.*)", re.IGNORECASE)
# Fields of a variant's form, by column.
_OF_VARIANT = {
    "variant": "title",
    "price": "price",
    "active": "is_active",
    "low_stock_at": "low_stock_at",
}
_WORDS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def named(header: Row) -> list[str]:
    """Return the names of the columns as they are known here. Raises UnfitFile."""
    names = [_name(cell) for cell in header.cells]
    if unknown := [
        cell for cell, name in zip(header.cells, names, strict=True) if cell and not name
    ]:
        raise UnfitFile(
            f"These columns are not known: {', '.join(unknown)}. Known are {', '.join(COLUMNS)}."
        )
    if "sku" not in names:
        raise UnfitFile("None of the columns is named sku in the first row.")
    if twice := sorted({name for name in names if name and names.count(name) > 1}):
        raise UnfitFile(f"These columns are there more than once: {', '.join(twice)}.")
    return names


def _name(cell: str) -> str:
    """Return a column's name; empty if there is no such column."""
    if attribute := _ATTRIBUTE.fullmatch(cell):
        return f"attribute: {attribute[1]}"
    name = cell.lower().replace(" ", "_")
    return name if name in _KNOWN else ""


@dataclass(slots=True)
class Values:
    """What a row says; an empty cell says nothing.

    `product` has what is said of the product, by column, `variant` fields of the variant's form.
    Of stock there is a count or a difference, in units.
    """

    sku: str
    slug: str
    product: dict[str, Any]
    variant: dict[str, Any]
    counted: int | None
    difference: int | None
    problems: list[str]


def read(cells: Mapping[str, str]) -> Values:
    """Return what the cells of a row say, by the names of their columns."""
    said: dict[str, Any] = {}
    problems = []
    for name, cell in cells.items():
        if not cell or name in _ONLY_READ:
            continue
        try:
            said[name] = _parsed(name, cell)
        except ValueError as error:
            problems.append(f"{name}: {cell!r} is not {error}.")
    if "sku" not in said:
        problems.append("sku: it is missing.")
    if "stock" in said and "stock_change" in said:
        problems.append("stock: fill in stock or stock_change, not both.")
    return Values(
        sku=said.pop("sku", ""),
        slug=said.pop("slug", "").lower(),
        counted=said.pop("stock", None),
        difference=said.pop("stock_change", None),
        variant={field: said.pop(name) for name, field in _OF_VARIANT.items() if name in said},
        product=said,
        problems=problems,
    )


def facts(product: Mapping[str, Any]) -> dict[str, str]:
    """Return the facts among a product's columns, by their own names."""
    return {
        found[1]: cell for name, cell in product.items() if (found := _ATTRIBUTE.fullmatch(name))
    }


def _parsed(name: str, cell: str) -> Any:
    """Return what a cell says. Raises ValueError, which tells what it should have been."""
    match name:
        case "published" | "active":
            if cell.lower() not in _WORDS:
                raise ValueError("yes or no")
            return _WORDS[cell.lower()]
        case "price":
            _require(r"[0-9]{1,12}([.,][0-9]{1,6})?", cell, "a price such as 12.90")
            return Decimal(cell.replace(",", "."))
        case "stock":
            _require(r"[0-9]{1,6}", cell, "a number of units")
            return int(cell)
        case "stock_change":
            _require(r"[+-]?[0-9]{1,6}", cell, "a number of units such as -2")
            return int(cell)
    return cell


def _require(pattern: str, cell: str, wanted: str) -> None:
    if not re.fullmatch(pattern, cell):
        raise ValueError(wanted)
