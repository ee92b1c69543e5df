"""A list of products as a page shows it: in the order asked for, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest

from shop.models import Product

PER_PAGE = 24


class Sort(models.TextChoices):
    """The orders that a visitor may ask for."""

    RELEVANCE = "relevance", "Best match"
    TITLE = "title", "Title"
    NEWEST = "newest", "Newest"
    CHEAPEST = "price", "Lowest price"
    DEAREST = "-price", "Highest price"


# The id makes each order total: else a product could show up on two pages, or on none.
_ORDER = {
    Sort.RELEVANCE: ("-rank", "title", "pk"),
    Sort.TITLE: ("title", "pk"),
    Sort.NEWEST: ("-created_at", "-pk"),
    Sort.CHEAPEST: ("lowest_price_minor", "title", "pk"),
    Sort.DEAREST: ("-lowest_price_minor", "title", "pk"),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """An order on offer, and the address that shows the list in it from its first page."""

    label: str
    address: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of products; `query` is what a link to another page has before `page=`."""

    page: Page[Product]
    sorts: list[Choice]
    is_sorted: bool
    query: str

    @property
    def pages(self) -> Sequence[int | str]:
        return list(self.page.paginator.get_elided_page_range(self.page.number, on_each_side=2))


class DeepPaginator(Paginator):  # type: ignore[type-arg]  # no generic at run time
    """Pages of products that cost about the same, however far into the list."""

    def page(self, number: int | str) -> Page[Product]:
        page = super().page(number)
        if page.number > 1:
            # PostgreSQL works out the selected columns, prices and stock among them, of skipped
            # rows too: so which products the page has is found out before anything is asked about
            # them.
            ordered = cast(QuerySet[Product], self.object_list)
            first = page.start_index() - 1
            found = ordered.values("pk")[first : first + self.per_page]
            page.object_list = ordered.filter(pk__in=found)
        return page


def arranged(products: QuerySet[Product], sort: Sort) -> QuerySet[Product]:
    """Return the products in an order on offer; `RELEVANCE` is for those that match a search."""
    return products.order_by(*_ORDER[sort])


def listing(
    request: HttpRequest, products: QuerySet[Product], sorts: Sequence[Sort], **kept: str
) -> Listing:
    """Return the page asked for, or the nearest there is.

    The first of `sorts` is the order of the bare address; an unknown one means it, too. `kept` are
    the parameters that every address of the list carries.
    """
    asked = request.GET.get("sort")
    chosen = next((sort for sort in sorts if sort == asked), sorts[0])

    def query(sort: Sort) -> str:
        return urlencode(kept if sort == sorts[0] else kept | {"sort": sort})

    pages = DeepPaginator(arranged(products, chosen), PER_PAGE)
    return Listing(
        page=pages.get_page(request.GET.get("page")),
        sorts=[
            Choice(sort.label, f"{request.path}?{query(sort)}".rstrip("?"), sort == chosen)
            for sort in sorts
        ],
        is_sorted=chosen != sorts[0],
        query=f"{query(chosen)}&".lstrip("&"),
    )
