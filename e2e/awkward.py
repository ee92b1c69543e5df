"""What a demo's tidy shelves lack and a real shop has, made through the shop's own services.

Runs once on the demo's database: `manage.py shell -c "from e2e import awkward; awkward.make()"`.
All but one of its products are old, so that the home page goes on to show the demo's own.
"""

from datetime import UTC, datetime

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import transaction

from accounts.models import User
from cart import services as carts
from cart.models import Cart
from cart.quotes import quote
from e2e.steps import PASSWORD, READER
from orders import services as orders
from orders.models import Reason
from shop import services as stock
from shop.clock import now
from shop.models import Category, Product, Variant

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
REMAINDERS = 300
# More than one page of a user's list.
ORDERS = 21
LONG_TITLE = (
    "The Life and Strange Surprizing Adventures of a Donaudampfschifffahrtsgesellschaftskapitän, "
    "Who Lived Eight and Twenty Years, All Alone in an Uninhabited House, Written by Himself"
)
EDITIONS = {
    "Hardcover": 9,
    "Paperback": 1,
    "Large print": 0,
    "Library binding with reinforced corners, sewn, with a ribbon": 9,
    "Audio": 9,
}
ADDRESS = {
    "name": "Ada Reader of Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch",
    "line1": "1 Long Lane",
    "line2": "Second courtyard, third staircase, the bell below the letter box",
    "postal_code": "10115",
    "city": "Berlin",
    "region": "Berlin",
    "country": "DE",
}


@transaction.atomic
def make() -> None:
    """Make an empty and an overfull category, a few odd products, and a user with a past."""
    Category.objects.create(slug="coming-soon", name="Coming soon", position=90)
    shelf = Category.objects.create(slug="remainders", name="Remainders of all kinds", position=91)
    for number in range(1, REMAINDERS + 1):
        _product(shelf, f"Remainder {number}", {"Paperback": 5})
    _product(shelf, "Sold out", {"Hardcover": 0, "Paperback": 0})
    _product(shelf, "Not for sale", {})
    _product(shelf, LONG_TITLE, EDITIONS, slug="long-title", price_minor=1_234_567_00)
    _product(shelf, "Two left", {"Paperback": 2})
    _product(shelf, "Dearer now", {"Paperback": 2})
    _product(shelf, "Withdrawn", {"Paperback": 2})
    reader = User.objects.create_user(READER, PASSWORD)
    # Without it the first reset of the password leaves one to confirm, and no app can be set up.
    EmailAddress.objects.create(user=reader, email=READER, verified=True, primary=True)
    _fill_cart(reader)
    _cancel_orders(reader)


def _product(
    shelf: Category, title: str, units: dict[str, int], *, slug: str = "", price_minor: int = 4_99
) -> None:
    """Make a product without a picture, with these units of its editions."""
    product = Product.objects.create(
        title=title,
        slug=slug or title.lower().replace(" ", "-"),
        description="A little worn. " * 40,
        attributes={"Author": f"The author of {title}", "Pages": "321"},
        category=shelf,
        created_at=LONG_AGO,
    )
    for position, (edition, quantity) in enumerate(units.items()):
        variant = Variant.objects.create(
            product=product,
            sku=f"{product.slug}-{position}",
            title=edition,
            price_minor=price_minor,
            currency=settings.SHOP_CURRENCY,
            position=position,
        )
        if quantity:
            stock.receive(
                variant_id=variant.pk, quantity=quantity, reference="remainders", at=LONG_AGO
            )


def _fill_cart(user: User) -> None:
    """Give the user a cart in which nothing is as it was: too few, dearer, no longer sold."""
    cart = Cart.objects.create(user=user, created_at=LONG_AGO)
    for slug, quantity in {"two-left": 5, "dearer-now": 1, "withdrawn": 1, "long-title": 1}.items():
        variant = Variant.objects.filter(product__slug=slug)[0]
        carts.add(cart=cart, variant=variant, quantity=quantity, at=LONG_AGO)
    Variant.objects.filter(product__slug="dearer-now").update(price_minor=5_99)
    Variant.objects.filter(product__slug="withdrawn").update(is_active=False)


def _cancel_orders(user: User) -> None:
    """Give the user a list of orders that were never paid; Stripe has heard of none."""
    buyer = orders.Buyer(user=user, email=user.email, address=ADDRESS, locale="en", client_ip=None)
    cart = Cart.objects.create(created_at=LONG_AGO)
    variant = Variant.objects.filter(product__slug="long-title")[0]
    carts.add(cart=cart, variant=variant, quantity=2, at=LONG_AGO)
    for _ in range(ORDERS):
        order = orders.place(cart=cart, buyer=buyer, quote=quote(cart), at=now())
        orders.cancel(order=orders.lock(order.pk), reason=Reason.EXPIRY, cause="", at=now())
