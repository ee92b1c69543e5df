"""The pages that search engines shall know: 50,000 of each kind, as one file may name no more."""

from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.sitemaps import Sitemap
from django.db.models import QuerySet
from django.urls import reverse

from shop.models import Category, Product


class OurSitemap(Sitemap):  # type: ignore[type-arg]
    """Addresses with the shop's own host, whatever host they were asked by."""

    protocol = urlsplit(settings.SITE_URL).scheme

    def get_domain(self, site: object = None) -> str:
        return urlsplit(settings.SITE_URL).netloc


class HomeSitemap(OurSitemap):
    def items(self) -> list[str]:
        return ["shop:home"]

    def location(self, item: str) -> str:
        return reverse(item)


class CategorySitemap(OurSitemap):
    def items(self) -> QuerySet[Category]:
        return Category.objects.only("slug")


class ProductSitemap(OurSitemap):
    def items(self) -> QuerySet[Product]:
        return Product.objects.on_sale().only("slug").order_by("pk")


SITEMAPS = {"home": HomeSitemap, "categories": CategorySitemap, "products": ProductSitemap}
