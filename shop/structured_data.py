"""What a page tells search engines in their own words: JSON-LD of schema.org.

Sources: https://developers.google.com/search/docs/appearance/structured-data/merchant-listing,
https://developers.google.com/search/docs/appearance/structured-data/breadcrumb
"""

from collections.abc import Iterable, Sequence
from urllib.parse import urljoin

from django.conf import settings

from shop.models import Category, Product, Variant
from shop.money import to_decimal

CONTEXT = "https://schema.org"


def product_data(product: Product, variants: Iterable[Variant]) -> dict[str, object]:
    """Return the product and an offer for each of its variants."""
    address = _absolute(product.get_absolute_url())
    images = [_absolute(image.url) for image in product.images.all()]
    return {
        "@context": CONTEXT,
        "@type": "Product",
        "name": product.title,
        "description": product.description,
        "url": address,
        **({"image": images} if images else {}),
        "offers": [
            {
                "@type": "Offer",
                "name": variant.title,
                "sku": variant.sku,
                "url": address,
                "price": str(to_decimal(variant.price_minor, variant.currency)),
                "priceCurrency": variant.currency,
                "availability": f"{CONTEXT}/{'InStock' if variant.free else 'OutOfStock'}",
            }
            for variant in variants
        ],
    }


def trail_data(trail: Sequence[Category], here: str = "") -> dict[str, object]:
    """Return the way from the home page down `trail`; `here` is the page itself, without a link."""
    steps: list[dict[str, object]] = [{"name": settings.SHOP_NAME, "item": _absolute("/")}]
    steps += [
        {"name": category.name, "item": _absolute(category.get_absolute_url())}
        for category in trail
    ]
    if here:
        steps.append({"name": here})
    return {
        "@context": CONTEXT,
        "@type": "BreadcrumbList",
        "itemListElement": [
            {"@type": "ListItem", "position": position, **step}
            for position, step in enumerate(steps, start=1)
        ],
    }


def _absolute(address: str) -> str:
    """Return an address of ours with the shop's host; one with a host of its own stays."""
    return urljoin(settings.SITE_URL, address)
