"""The pages of the catalog. They are the same for everybody and set no cookie.

So they may be compressed: nothing secret is on them whose length could be guessed at (BREACH).
"""

from django.conf import settings
from django.db.models import prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.gzip import gzip_page

from shop.categories import CategoryTree
from shop.clock import now
from shop.listing import Listing, Sort, listing
from shop.models import Category, Product, Variant
from shop.structured_data import product_data, trail_data

NEWEST = 12
OF_THE_DAY = 6
RELATED = 6
SEARCH_LENGTH = 200
SEARCH_WORDS = 4


@gzip_page
def home(request: HttpRequest) -> HttpResponse:
    tree = CategoryTree.load()
    shelves = tree.children.get(None, [])
    on_sale = Product.objects.on_sale().for_cards().order_by("-created_at", "-pk")
    # Both rows take their covers in one query, below.
    newest = list(on_sale.prefetch_related(None)[:NEWEST])
    # Another shelf each day, so that more of the shop is seen than what came last.
    shelf = shelves[now().toordinal() % len(shelves)] if shelves else None
    of_the_day = []
    if shelf:
        others = on_sale.filter(category__in=tree.below(shelf)).exclude(
            pk__in=[book.pk for book in newest]
        )
        of_the_day = list(others.prefetch_related(None)[:OF_THE_DAY])
    prefetch_related_objects(newest + of_the_day, "images")
    return render(
        request,
        "shop/home.html",
        {
            "newest": newest,
            "shelf_of_the_day": shelf,
            "of_the_day": of_the_day,
            "on_the_table": (of_the_day or newest)[:3],
            "shelves": shelves,
            "shelves_with_children": [(each, tree.children.get(each.pk, [])) for each in shelves],
            "canonical_url": _canonical(request),
        },
    )


@gzip_page
def category(request: HttpRequest, slug: str) -> HttpResponse:
    shelf = get_object_or_404(Category, slug=slug)
    tree = CategoryTree.load()
    products = Product.objects.on_sale().filter(category__in=tree.below(shelf)).for_cards()
    shown = listing(request, products, [Sort.TITLE, Sort.NEWEST, Sort.CHEAPEST, Sort.DEAREST])
    path = tree.path(shelf)
    return render(
        request,
        "shop/category.html",
        {
            "category": shelf,
            "children": tree.children.get(shelf.pk, []),
            "trail": path[:-1],
            "trail_data": trail_data(path),
            "open_shelf": path[0],
            "shelves": tree.children.get(None, []),
            "listing": shown,
            # The same books in another order are nothing that a search engine should list again.
            "canonical_url": None if shown.is_sorted else _canonical(request, shown),
        },
    )


@gzip_page
def product(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(
        Product.objects.filter(is_published=True)
        .select_related("category")
        .defer("search")
        .prefetch_related("images"),
        slug=slug,
    )
    return product_page(request, found)


def product_page(request: HttpRequest, found: Product, *, is_preview: bool = False) -> HttpResponse:
    """Show a product as shoppers see it; in a preview nothing can be bought."""
    variants = Variant.objects.offered().filter(product=found)
    tree = CategoryTree.load()
    trail = tree.path(found.category)
    related = (
        Product.objects.on_sale().filter(category=found.category).exclude(pk=found.pk).for_cards()
    )
    return render(
        request,
        "shop/product.html",
        {
            "product": found,
            "product_data": product_data(found, variants),
            "variants": variants,
            "chosen": next((variant for variant in variants if variant.free), None),
            "line_limit": settings.CART_LINE_LIMIT,
            "trail": trail,
            "trail_data": trail_data(trail, found.title),
            "open_shelf": trail[0],
            "shelves": tree.children.get(None, []),
            "related": related.order_by("-created_at", "-pk")[:RELATED],
            "canonical_url": None if is_preview else _canonical(request),
            "is_preview": is_preview,
        },
    )


@gzip_page
def search(request: HttpRequest) -> HttpResponse:
    # PostgreSQL's text cannot hold NUL.
    text = request.GET.get("q", "").replace("\0", "").strip()[:SEARCH_LENGTH]
    products = Product.objects.on_sale().matching(text).for_cards()
    sorts = [Sort.RELEVANCE, Sort.TITLE, Sort.NEWEST, Sort.CHEAPEST, Sort.DEAREST]
    words = text.split()
    return render(
        request,
        "shop/search.html",
        {
            "search_text": text,
            # Nothing has all the words, but something may have one of them.
            "words": words[:SEARCH_WORDS] if len(words) > 1 else [],
            "listing": listing(request, products, sorts, q=text) if text else None,
        },
    )


def _canonical(request: HttpRequest, shown: Listing | None = None) -> str:
    """Return the one address of this page, whatever host and query it was asked by."""
    query = f"?page={shown.page.number}" if shown and shown.page.number > 1 else ""
    return f"{settings.SITE_URL}{request.path}{query}"
