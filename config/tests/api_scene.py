"""A shop in which every endpoint of the API has something to do, and those who may ask for it."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import Any
from uuid import uuid4

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from allauth.headless.tokens.strategies.jwt import internal
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory, one_of
from accounts.tests.tokens import caller_as, session_of
from api.tests.calls import Caller
from cart.access import token_of
from cart.models import Cart
from cart.quotes import quote
from cart.tests.factories import CartFactory, CartLineFactory
from config.tests.api_surface import CALLERS
from orders import links
from orders import services as orders
from orders.models import Order, Reason
from orders.tests.factories import ADDRESS, PendingOrderFactory
from payments.models import InboxEvent, LedgerEntry, PaymentAttempt
from payments.tests.support import attempt_row
from shop.clock import now
from shop.models import Category, Product, ProductImage, Variant
from shop.tests.factories import (
    CategoryFactory,
    ProductFactory,
    ProductImageFactory,
    VariantFactory,
)


@dataclass
class Scene:
    """What there is; `caller` says who asks. Everything is made when it is first asked for."""

    caller: str
    password: str = PASSWORD

    def client(self) -> Caller:
        """Return the client of who asks."""
        assert self.caller in CALLERS
        if self.caller == "anonymous":
            return Caller()
        if self.caller == "guest":
            return Caller(Cart_Token=token_of(self.cart), Order_Token=links.sign(self.order.number))
        if self.caller == "other guest":
            other = PendingOrderFactory(at=now())
            return Caller(Cart_Token=token_of(self.cart), Order_Token=links.sign(other.number))
        return caller_as(self.user_who_asks)

    @cached_property
    def user_who_asks(self) -> User:
        match self.caller:
            case "buyer":
                return self.buyer
            case "support" | "warehouse" | "accountant" | "manager" as role:
                return one_of(role.capitalize())
        stranger: User = UserFactory()
        return stranger

    @cached_property
    def buyer(self) -> User:
        buyer: User = UserFactory(email="buyer@example.com")
        return buyer

    @cached_property
    def variant(self) -> Variant:
        variant: Variant = VariantFactory(sku="EMMA/H 1", price_minor=2_000)
        ProductImageFactory(product=variant.product)
        return variant

    @cached_property
    def cart(self) -> Cart:
        """The cart of who asks, with a line in it."""
        is_user = self.caller not in {"anonymous", "guest", "other guest"}
        cart: Cart = CartFactory(user=self.user_who_asks if is_user else None)
        CartLineFactory(cart=cart, variant=self.variant)
        return cart

    @cached_property
    def order(self) -> Order:
        """The buyer's, which waits for its money."""
        return PendingOrderFactory(quantities={self.variant: 1}, user=self.buyer, at=now())

    @cached_property
    def paid_order(self) -> Order:
        order = PendingOrderFactory(user=self.buyer, at=now())
        orders.mark_paid(order=order, reason=Reason.CAPTURE, cause="evt_1", at=now())
        attempt = attempt_row(order, state="succeeded", intent_id="pi_1", session_id="cs_1")
        LedgerEntry.objects.create(
            order=order,
            attempt=attempt,
            kind=LedgerEntry.Kind.CAPTURE,
            stripe_id="ch_1",
            charge_id="ch_1",
            amount_minor=order.total_minor,
            currency=order.currency,
            booked_at=now(),
        )
        return order

    def names(self) -> Mapping[str, str]:
        """Return what stands in the braces of a path."""
        return _Names(self)

    # What the paths name

    @property
    def slug(self) -> str:
        return self.variant.product.slug

    @property
    def sku(self) -> str:
        self.cart  # noqa: B018 - a line of which stands in the path
        return self.variant.sku

    @property
    def number(self) -> str:
        return self.order.number

    @property
    def paid(self) -> str:
        return self.paid_order.number

    @property
    def session(self) -> str:
        attempt: PaymentAttempt = attempt_row(
            self.order, state="open", session_id="cs_test_1", url="https://stripe.example/pay"
        )
        return attempt.session_id or ""

    @property
    def intent(self) -> str:
        attempt: PaymentAttempt = attempt_row(
            self.order, kind="intent", state="open", intent_id="pi_1", client_secret="secret"
        )
        return attempt.intent_id or ""

    @property
    def user(self) -> str:
        return str(self.buyer.public_id)

    @property
    def unsold(self) -> str:
        product: Product = ProductFactory()
        return product.slug

    @property
    def unsold_sku(self) -> str:
        variant: Variant = VariantFactory(on_hand=0)
        return variant.sku

    @property
    def image(self) -> str:
        image: ProductImage = self.variant.product.images.get()
        return PurePath(str(image.image)).name

    @property
    def category(self) -> str:
        return self.variant.product.category.slug

    @property
    def empty_category(self) -> str:
        category: Category = CategoryFactory()
        return category.slug

    @property
    def event(self) -> str:
        event = InboxEvent.objects.create(
            event_id="evt_1",
            type="charge.updated",
            payload={},
            livemode=False,
            source=InboxEvent.Source.WEBHOOK,
            state=InboxEvent.State.FAILED,
            received_at=now(),
        )
        return event.event_id

    # What is sent

    def newcomer(self) -> dict[str, str]:
        return {"email": "newcomer@example.com", "password": self.password}

    def credentials(self) -> dict[str, str]:
        self.buyer.set_password(self.password)
        self.buyer.save()
        return {"email": self.buyer.email, "password": self.password}

    def refresh_token(self) -> dict[str, str]:
        session = session_of(self.buyer)
        token = internal.create_refresh_token(self.buyer, session)
        session.save()
        return {"refresh_token": token}

    def address(self) -> dict[str, str]:
        return {"email": self.buyer.email}

    def new_password(self) -> dict[str, str]:
        self.credentials()
        key = f"{user_pk_to_url_str(self.buyer)}-{default_token_generator.make_token(self.buyer)}"
        return {"key": key, "password": "another long walk by the sea"}

    def changed_password(self) -> dict[str, str]:
        return {
            "current_password": self.password,
            "new_password": "another long walk by the sea",
        }

    def placing(self) -> dict[str, object]:
        return {
            "email": "reader@example.com",
            "shipping_address": ADDRESS,
            "fingerprint": quote(self.cart).signed_fingerprint,
        }

    def found(self) -> dict[str, str]:
        return {"number": self.order.number, "email": self.order.email}

    def product_input(self) -> dict[str, object]:
        return {"title": "Northanger Abbey", "category": self.category}

    def variant_input(self) -> dict[str, object]:
        return {"sku": "EMMA-P", "title": "Paperback", "price": 999}

    def picture(self) -> dict[str, object]:
        file = io.BytesIO()
        Image.new("RGB", (60, 90), "teal").save(file, "PNG")
        return {"image": SimpleUploadedFile("cover.png", file.getvalue(), "image/png")}

    def delivery(self) -> dict[str, object]:
        return {"sku": self.variant.sku, "kind": "received", "units": 3, "reference": "DHL 7"}


class _Names(dict[str, str]):
    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self.scene = scene

    def __missing__(self, name: str) -> str:
        return str(getattr(self.scene, name))


def send(client: Caller, method: str, path: str, body: Any, *, is_multipart: bool) -> Any:
    """Send a request as JSON, or as a form with files; each POST under a key of its own."""
    if is_multipart:
        headers = {**client.headers, "Idempotency-Key": str(uuid4())}
        return Client().post(f"/api/{path}", body, headers=headers)
    return client.post(path, body) if method == "POST" else client.call(method, path, body)
