"""Who asks for what: guests and users made by the application itself, each with a cart."""

from collections.abc import Iterator

from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from bench.targets import BARE, Request, Target
from cart.access import COOKIE
from shop import pictures
from shop.listing import PER_PAGE
from shop.models import Category, Product, ProductImage, Variant

SHELF = "fiction"
SEARCHES = ("lighthouse", "river", "frank", "letters golden", "winter", "jane austen")
# More visitors than connections, so that no two requests wait for the lock of one cart.
VISITORS = 16
LINES = 5


def pretend_renditions() -> None:
    """Name each picture's renditions as the worker would; nobody asks for the files."""
    images = list(ProductImage.objects.all())
    for image in images:
        image.renditions = [
            {
                "name": pictures.Rendition(kind, width, b"").name(image.pk),
                "type": kind,
                "width": width,
            }
            for width in pictures.widths(image.width)
            for kind in pictures.TYPES
        ]
    ProductImage.objects.bulk_update(images, ["renditions"], batch_size=200)


def targets() -> Iterator[Target]:
    """Make guests and users; yield what they and others ask for, the bare view first."""
    on_sale = list(Variant.objects.on_sale().filter(on_hand__gt=0)[: VISITORS * LINES])
    choices = [on_sale[number::VISITORS] for number in range(VISITORS)]
    nobodies = [""] * VISITORS
    guests = [_cookies(Client(SERVER_NAME="127.0.0.1"), chosen) for chosen in choices]
    users = [_cookies(_signed_in(number), chosen) for number, chosen in enumerate(choices)]

    products = list(Product.objects.on_sale().order_by("created_at")[:VISITORS])
    yield Target(BARE, "nobody", tuple(Request(f"/{product.pk}/") for product in products), "</h1>")
    for page, paths in _pages(products).items():
        for visitor, cookies in (("nobody", nobodies), ("guest", guests), ("user", users)):
            requests = (
                Request(paths[number % len(paths)], cookie) for number, cookie in enumerate(cookies)
            )
            yield Target(page, visitor, tuple(requests), _sign(page, visitor))
    for visitor, cookies in (("new guest", nobodies), ("guest", guests), ("user", users)):
        forms = (
            Request(reverse("cart:add"), cookie, f"variant={chosen[0].pk}&quantity=1")
            for cookie, chosen in zip(cookies, choices, strict=True)
        )
        yield Target("add to cart", visitor, tuple(forms), "/", status=302)


def _pages(products: list[Product]) -> dict[str, list[str]]:
    shelf = Category.objects.get(slug=SHELF).get_absolute_url()
    titles = Product.objects.on_sale().filter(category__parent__slug=SHELF).count()
    last = titles // PER_PAGE
    return {
        "home": [reverse("shop:home")],
        "category": [shelf],
        f"category, page {last}": [f"{shelf}?page={last}"],
        "category by price": [f"{shelf}?sort=price"],
        "product": [product.get_absolute_url() for product in products],
        "search": [reverse("shop:search", query={"q": text}) for text in SEARCHES],
        "cart": [reverse("cart:detail")],
    }


def _sign(page: str, visitor: str) -> str:
    """Return what shows in the right page, and in no other that might come in its place."""
    if page == "cart" and visitor != "nobody":
        return reverse("cart:clear")
    return reverse("account_logout") if visitor == "user" else reverse("account_login")


def _signed_in(number: int) -> Client:
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(get_user_model().objects.create_user(f"reader-{number}@example.com"))
    return client


def _cookies(client: Client, chosen: list[Variant]) -> str:
    """Put the variants into the client's cart; return the cookies it has from then on."""
    for variant in chosen:
        client.post(reverse("cart:add"), {"variant": variant.pk, "quantity": 1})
    # The message of having done so is not for every page that follows.
    kept = {COOKIE, settings.SESSION_COOKIE_NAME} & client.cookies.keys()
    return "; ".join(f"{name}={client.cookies[name].coded_value}" for name in kept)
