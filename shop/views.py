"""The pages of the catalog. They are the same for everybody and set no cookie."""

from urllib.parse import urlencode

from django.conf import settings
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from shop.categories import CategoryTree
from shop.models import Category, Product, Variant

PER_PAGE = 24
NEWEST = 12
RELATED = 6
SEARCH_LENGTH = 200


def home(request: HttpRequest) -> HttpResponse:
    tree = CategoryTree.load()
    newest = Product.objects.on_sale().for_cards().order_by("-created_at", "-pk")
    shelves = [(shelf, tree.children.get(shelf.pk, [])) for shelf in tree.children.get(None, [])]
    return render(
        request,
        "shop/home.html",
        {
            # A list, since the page shows the first of them twice.
            "newest": list(newest[:NEWEST]),
            "shelves_with_children": shelves,
            "canonical_url": _canonical(request),
        },
    )


def category(request: HttpRequest, slug: str) -> HttpResponse:
    shelf = get_object_or_404(Category, slug=slug)
    tree = CategoryTree.load()
    products = Product.objects.on_sale().filter(category__in=tree.below(shelf)).for_cards()
    page = _page(request, products.order_by("title", "pk"))
    path = tree.path(shelf)
    return render(
        request,
        "shop/category.html",
        {
            "category": shelf,
            "children": tree.children.get(shelf.pk, []),
            "trail": path[:-1],
            "open_shelf": path[0],
            "page": page,
            "pages": page.paginator.get_elided_page_range(page.number),
            "canonical_url": _canonical(request, page),
        },
    )


def product(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(
        Product.objects.filter(is_published=True)
        .select_related("category")
        .defer("search")
        .prefetch_related("images"),
        slug=slug,
    )
    variants = Variant.objects.on_sale().filter(product=found)
    trail = CategoryTree.load().path(found.category)
    related = (
        Product.objects.on_sale().filter(category=found.category).exclude(pk=found.pk).for_cards()
    )
    return render(
        request,
        "shop/product.html",
        {
            "product": found,
            "variants": variants,
            "chosen": next((variant for variant in variants if variant.free), None),
            "line_limit": settings.CART_LINE_LIMIT,
            "trail": trail,
            "open_shelf": trail[0],
            "related": related.order_by("-created_at", "-pk")[:RELATED],
            "canonical_url": _canonical(request),
        },
    )


def search(request: HttpRequest) -> HttpResponse:
    # PostgreSQL's text cannot hold NUL.
    text = request.GET.get("q", "").replace("\0", "").strip()[:SEARCH_LENGTH]
    products = Product.objects.on_sale().matching(text) if text else Product.objects.none()
    page = _page(request, products.for_cards())
    return render(
        request,
        "shop/search.html",
        {
            "search_text": text,
            "query": urlencode({"q": text}) + "&",
            "page": page,
            "pages": page.paginator.get_elided_page_range(page.number),
        },
    )


def _page(request: HttpRequest, products: QuerySet[Product]) -> Page[Product]:
    """Return the page asked for, or the nearest there is."""
    return Paginator(products, PER_PAGE).get_page(request.GET.get("page"))


def _canonical(request: HttpRequest, page: Page[Product] | None = None) -> str:
    """Return the one address of this page, whatever host and query it was asked by."""
    query = f"?page={page.number}" if page and page.number > 1 else ""
    return f"{settings.SITE_URL}{request.path}{query}"
