"""Which cart a request means: the user's own, else the one that a guest's signed token names.

A browser has the token in a cookie, a client of the API sends it in a header.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib import messages
from django.core.signing import BadSignature, Signer
from django.http import HttpRequest, HttpResponse

from accounts.models import User
from api.guests import CART_TOKEN, is_api
from cart import services
from cart.models import Cart

COOKIE: str = settings.CART_COOKIE_NAME
COOKIE_LASTS = timedelta(days=90)
# What the cookie shall become with the answer to this request; empty: it goes. The way of Django's
# own CSRF cookie.
_PENDING = "CART_COOKIE"
_signer = Signer(salt="cart.cookie")


def current_cart(request: HttpRequest) -> Cart | None:
    """Return the visitor's cart, or None; reading makes neither a row nor a cookie."""
    if request.user.is_authenticated:
        return Cart.objects.filter(user=request.user, merged_into=None).first()
    return _guest_cart(request)


def cart_for_writing(request: HttpRequest, at: datetime) -> Cart:
    """Return the visitor's cart, made if there is none; a guest gets its cookie, or keeps it on."""
    if request.user.is_authenticated:
        return _cart_of(request.user, at)
    cart = _guest_cart(request) or Cart.objects.create(created_at=at)
    request.META[_PENDING] = token_of(cart)
    return cart


def token_of(cart: Cart) -> str:
    """Return what names a guest's cart to whoever bears it."""
    return _signer.sign(str(cart.public_id))


def merge_at_sign_in(request: HttpRequest, user: User, at: datetime) -> None:
    """Put what the visitor gathered as a guest into his own cart, and tell him."""
    guest = _guest_cart(request)
    if guest is None:
        return
    change = services.merge(guest=guest, user_cart=_cart_of(user, at), at=at)
    if is_api(request):
        return
    forget_guest(request)
    if change.units:
        items = "item" if change.units == 1 else f"{change.units} items"
        messages.success(request, f"We put the {items} of your visit into your cart.")
    if change.is_capped:
        limit = settings.CART_LINE_LIMIT
        messages.warning(request, f"A cart holds at most {limit} of one edition.")


def forget_guest(request: HttpRequest) -> None:
    """Let the answer to this request take the guest's cookie away."""
    request.META[_PENDING] = ""


def write_cookie(request: HttpRequest, response: HttpResponse) -> None:
    """Set or delete the guest's cookie, if this request decided on it; the API has none."""
    if is_api(request):
        return
    token = request.META.get(_PENDING)
    if token:
        response.set_cookie(
            COOKIE,
            token,
            max_age=COOKIE_LASTS,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    elif token == "" and COOKIE in request.COOKIES:
        response.delete_cookie(COOKIE, samesite="Lax")


def guest_id(request: HttpRequest) -> str:
    """Return the public id that the visitor's token names; nothing where it is not ours."""
    token = request.headers.get(CART_TOKEN) if is_api(request) else request.COOKIES.get(COOKIE)
    try:
        return _signer.unsign(token or "")
    except BadSignature:
        return ""


def _guest_cart(request: HttpRequest) -> Cart | None:
    """Return the cart that the token names; one that became a user's is no longer the guest's.

    Otherwise an old cookie would open the cart of somebody who signed out at this browser.
    """
    public_id = guest_id(request)
    if not public_id:
        return None
    return Cart.objects.filter(public_id=public_id, user=None, merged_into=None).first()


def _cart_of(user: User, at: datetime) -> Cart:
    """Return the user's one cart; of two requests that make it at once, one finds the other's."""
    cart, _created = Cart.objects.get_or_create(
        user=user, merged_into=None, defaults={"created_at": at}
    )
    return cart
