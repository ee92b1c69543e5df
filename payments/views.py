"""Checkout: from the cart to Stripe's page and back."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.html import format_html
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from structlog.contextvars import bind_contextvars

from cart.access import current_cart
from cart.models import Cart
from cart.quotes import Quote, quote
from orders import links
from orders.models import Order, Reason
from orders.services import Buyer
from payments import gateway
from payments.failures import stripe_failures
from payments.forms import CheckoutForm
from payments.services import attempts, canceling, placing
from payments.services.attempts import NotPayable
from shop.clock import now
from shop.limits import client_ip, limited
from shop.services import InsufficientStock

# The page that waits for the database to know asks again this often, and gives up in the end.
_ASK_AGAIN = timedelta(seconds=3)
_GIVE_UP = timedelta(minutes=2)


class SeeOther(HttpResponseRedirect):
    """303: whatever the method was, get that page now."""

    status_code = 303


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@limited("place_order")
@stripe_failures
def checkout(request: HttpRequest) -> HttpResponse:
    """Show the checkout page; on POST place the order and send the buyer to Stripe's page."""
    cart = current_cart(request)
    if cart is None:
        messages.info(request, "Your cart is empty.")
        return redirect("cart:detail")
    if request.method == "POST":
        return _start_checkout(request, cart)
    current = quote(cart)
    if not current.lines:
        messages.info(request, "Your cart is empty.")
        return redirect("cart:detail")
    return _checkout_page(request, CheckoutForm(initial=_known_of(request, cart)), current)


def _known_of(request: HttpRequest, cart: Cart) -> dict[str, str]:
    """Return what need not be typed again: what the cart's unpaid order says, or the account."""
    unpaid = cart.orders.pending().in_cart().first()
    if unpaid:
        return {"email": unpaid.email, **unpaid.shipping_address}
    return {"email": request.user.email} if request.user.is_authenticated else {}


def _start_checkout(request: HttpRequest, cart: Cart) -> HttpResponse:
    form = CheckoutForm(request.POST)
    if not form.is_valid():
        return _checkout_page(request, form, quote(cart), status=422)
    try:
        started = placing.start_checkout(
            cart=cart,
            buyer=_buyer(request, form),
            fingerprint=form.cleaned_data["fingerprint"],
            at=now(),
        )
    except placing.CartChanged as error:
        form.add_error(None, str(error))
        return _checkout_page(request, form, error.quote, status=409)
    except InsufficientStock:
        current = quote(cart)
        form.add_error(None, _shortage_in_words(current))
        return _checkout_page(request, form, current, status=409)
    except placing.CannotPlace as error:
        form.add_error(None, str(error))
        return _checkout_page(request, form, quote(cart), status=422)
    except gateway.BadEmail:
        form.add_error("email", "The payment service does not take this address. Is it complete?")
        return _checkout_page(request, form, quote(cart), status=422)
    except (placing.AlreadyPaid, NotPayable) as error:
        messages.info(request, "Your order is already on its way through; here is where it stands.")
        return SeeOther(links.path(error.order))
    return SeeOther(started.attempt.url if started.attempt else links.path(started.order))


def _buyer(request: HttpRequest, form: CheckoutForm) -> Buyer:
    return Buyer(
        user=request.user if request.user.is_authenticated else None,
        email=form.cleaned_data["email"],
        address=form.address(),
        locale=get_language() or settings.LANGUAGE_CODE,
        client_ip=client_ip(request),
    )


def _checkout_page(
    request: HttpRequest, form: CheckoutForm, current: Quote, status: int = 200
) -> HttpResponse:
    """Show the form beside the figures; they are what its fingerprint speaks for."""
    context = {
        "form": form,
        "quote": current,
        "fingerprint": current.signed_fingerprint,
        # Nothing shall lead away from here: the frame leaves the shelves out.
        "shelves": (),
    }
    return render(request, "payments/checkout.html", context, status=status)


def _shortage_in_words(current: Quote) -> str:
    short = [line for line in current.lines if line.is_short]
    if not short:
        return "Something in your cart has just been sold. Please look at the figures again."
    return " ".join(
        f"Of “{line.variant.product.title}” ({line.variant.title}) "
        + (f"we have only {line.free_for_cart}." if line.free_for_cart else "none is left.")
        for line in short
    )


@require_POST
@limited("place_order")
@stripe_failures
def pay(request: HttpRequest, number: str, signature: str) -> HttpResponse:
    """Send the buyer to Stripe's page for an order that waits for money."""
    order = signed_order(number, signature)
    try:
        attempt = attempts.open_attempt(order_id=order.pk, at=now())
    except NotPayable:
        messages.info(request, "This order cannot be paid now; here is where it stands.")
        return SeeOther(links.path(order))
    return SeeOther(attempt.url)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@limited("place_order")
@stripe_failures
def cancel(request: HttpRequest, number: str, signature: str) -> HttpResponse:
    """Ask whether an unpaid order shall be canceled; on POST do so, unless money was faster."""
    order = signed_order(number, signature)
    if request.method == "POST":
        by = request.user.pk if request.user.is_authenticated else None
        try:
            canceling.cancel(order_id=order.pk, reason=Reason.BUYER, by=by, at=now())
        except canceling.CannotCancel as error:
            messages.warning(request, str(error))
    elif order.is_pending:
        context = {"order": order, "lines": order.lines.all(), "order_url": links.path(order)}
        return render(request, "payments/cancel.html", context)
    return SeeOther(links.path(order))


@never_cache
@require_safe
def success(request: HttpRequest, number: str, signature: str) -> HttpResponse:
    """Where Stripe sends the buyer back to: shows what the database knows, and never asks Stripe.

    Until the database knows, the page asks for itself again, for two minutes at most.
    """
    order = signed_order(number, signature)
    attempt = order.attempts.last()
    is_over = not order.is_pending or order.reviews.open().exists()
    if is_over or attempt is None or attempt.state not in {"created", "open"}:
        return SeeOther(links.path(order))
    asked = _whole_number(request.GET.get("asked", ""))
    if asked:
        # The webhook is on its way most often, and has the first seconds to itself.
        attempts.queue_reconciliation(attempt=attempt, at=now())
    goes_on = asked * _ASK_AGAIN < _GIVE_UP
    context: dict[str, Any] = {"order": order, "goes_on": goes_on, "order_url": links.path(order)}
    response = render(request, "payments/confirming.html", context)
    if goes_on:
        # A header refreshes without a script.
        response["Refresh"] = f"{_ASK_AGAIN.seconds}; url={request.path}?asked={asked + 1}"
    return response


def _whole_number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 6 else 0


@never_cache
@require_safe
def left(request: HttpRequest, number: str, signature: str) -> HttpResponse:
    """Where Stripe's page leads a buyer who turns back: the cart, untouched."""
    order = signed_order(number, signature)
    if order.is_pending:
        text = format_html(
            'Nothing was charged. Your order is kept for a while: <a href="{}">pay for it now</a>.',
            links.path(order),
        )
        messages.info(request, text)
    return redirect("cart:detail")


def signed_order(number: str, signature: str) -> Order:
    """Return the order of a signed link; a link that is not ours looks like no order at all."""
    order = Order.objects.filter(number=number).first()
    if order is None or not links.is_signed(number, signature):
        raise Http404("no such order")
    bind_contextvars(order_number=order.number)
    return order
