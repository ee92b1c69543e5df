"""Which cart a request means: the user's own, else the one that a guest's signed cookie names."""

from django.core.signing import BadSignature, Signer
from django.http import HttpRequest

from cart.models import Cart

COOKIE = "cart"
_signer = Signer(salt="cart.cookie")


def current_cart(request: HttpRequest) -> Cart | None:
    """Return the visitor's cart, or None; reading makes neither a row nor a cookie."""
    if request.user.is_authenticated:
        return Cart.objects.filter(user=request.user, merged_into=None).first()
    try:
        public_id = _signer.unsign(request.COOKIES.get(COOKIE, ""))
    except BadSignature:
        return None
    return Cart.objects.filter(public_id=public_id, user=None).first()
