"""The catalog as JSON: the same for everybody, with no cookie, so that it can be cached."""

from typing import Any

from django.db.models import QuerySet
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import conditional_page
from rest_framework import serializers
from rest_framework.generics import get_object_or_404
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from api.pages import Pages
from api.schema import operation
from api.views import ApiView
from shop.categories import CategoryTree
from shop.listing import DeepPaginator, Sort, arranged
from shop.models import Product
from shop.serializers import (
    CategorySerializer,
    ProductDetailSerializer,
    ProductQuery,
    ProductSerializer,
)


class ProductPages(Pages):
    """Pages of products."""

    page_size = 24
    django_paginator_class = DeepPaginator


# As on the pages of the catalog nothing secret is in these answers, so they may be compressed. Last
# of all: no two compressions are the same.
@method_decorator(gzip_page, name="dispatch")
@method_decorator(conditional_page, name="dispatch")
@method_decorator(cache_control(public=True, no_cache=True), name="dispatch")
class CatalogView(ApiView):
    """Public, and kept by whoever asks as long as its ETag stands."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    is_cacheable = True


class Products(CatalogView):
    pagination_class = ProductPages

    @operation(
        "listProducts",
        {200: ProductSerializer(many=True)},
        query=ProductQuery,
    )
    def get(self, request: Request) -> Response:
        """List and search what is on sale. Narrow it down by category, price and stock."""
        return self.listed(_asked_for(self.read_query(ProductQuery)), ProductSerializer)


def _asked_for(asked: dict[str, Any]) -> QuerySet[Product]:
    products = Product.objects.on_sale()
    text = asked.get("q", "")
    if text:
        products = products.matching(text)
    if shelf := asked.get("category"):
        products = products.filter(category__in=CategoryTree.load().below(shelf))
    products = products.with_offer(
        from_minor=asked.get("min_price"),
        to_minor=asked.get("max_price"),
        in_stock=asked.get("in_stock", False),
    )
    sort = asked.get("sort") or (Sort.RELEVANCE if text else Sort.TITLE)
    return arranged(products.for_cards(), Sort(sort))


class ProductDetail(CatalogView):
    @operation("getProduct", {200: ProductDetailSerializer})
    def get(self, request: Request, slug: str) -> Response:
        """Show a product with its variants, prices and stock."""
        published = Product.objects.filter(is_published=True).select_related("category")
        found = get_object_or_404(published.defer("search").prefetch_related("images"), slug=slug)
        context = {"tree": CategoryTree.load()}
        return Response(ProductDetailSerializer(found, context=context).data)


class CategoryListSerializer(serializers.Serializer[Any]):
    results = CategorySerializer(many=True)


class Categories(CatalogView):
    @operation("listCategories", {200: CategoryListSerializer})
    def get(self, request: Request) -> Response:
        """List all categories, in the order in which they are shown."""
        tree = CategoryTree.load()
        shelves = CategorySerializer(list(tree.by_id.values()), many=True, context={"tree": tree})
        return Response({"results": shelves.data})
