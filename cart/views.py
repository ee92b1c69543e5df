"""The cart and its forms: each changes one thing and leads back to the cart.

With htmx the forms of the cart's page follow the same redirect and take their part out of it.
"""

from dataclasses import dataclass

from django.conf import settings
from django.contrib import messages
from django.db.models import prefetch_related_objects
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from cart import services
from cart.access import cart_for_writing, current_cart
from cart.context import units_in
from cart.cross_origin import same_origin_only
from cart.forms import AddForm, QuantityForm
from cart.quotes import QuoteLine, quote
from shop.clock import now
from shop.models import Variant


@dataclass(frozen=True)
class Row:
    """A line of the page, and the form that changes it."""

    line: QuoteLine
    form: QuantityForm


@never_cache
@require_safe
def detail(request: HttpRequest) -> HttpResponse:
    return _cart_page(request)


@same_origin_only
@require_POST
def add(request: HttpRequest) -> HttpResponse:
    """Add to the cart and lead there; htmx gets a piece of a page, for where it was asked from."""
    form = AddForm(request.POST)
    is_valid = form.is_valid()
    is_htmx = "HX-Request" in request.headers
    variants = Variant.objects.select_related("product")
    variant = get_object_or_404(variants, pk=form.cleaned_data.get("variant"))
    if not variant.is_on_sale:
        if is_htmx:
            return _refuse(request, "This edition is no longer on sale.", status=409)
        raise Http404
    if not is_valid:
        if is_htmx:
            return _refuse(request, " ".join(map(str, form.errors["quantity"])), status=422)
        return render(request, "cart/add.html", {"form": form, "variant": variant}, status=422)
    at = now()
    cart = cart_for_writing(request, at)
    change = services.add(cart=cart, variant=variant, quantity=form.cleaned_data["quantity"], at=at)
    name = f"“{variant.product.title}” ({variant.title})"
    units = f"{change.units} of " if change.units > 1 else ""
    added = f"Added {units}{name} to your cart." if change.units else ""
    capped = (
        f"A cart holds at most {settings.CART_LINE_LIMIT} of {name}." if change.is_capped else ""
    )
    if is_htmx:
        # A guest's first cart is known to the browser only once this answer is there.
        answer = {"added": added, "capped": capped, "cart_count": units_in(cart)}
        return render(request, "cart/_answer.html", answer)
    if added:
        messages.success(request, added)
    if capped:
        messages.warning(request, capped)
    return redirect("cart:detail")


def _refuse(request: HttpRequest, refusal: str, status: int) -> HttpResponse:
    return render(request, "cart/_answer.html", {"refusal": refusal}, status=status)


@require_POST
def update(request: HttpRequest, variant_id: int) -> HttpResponse:
    variant = get_object_or_404(Variant, pk=variant_id)
    form = QuantityForm(request.POST, auto_id=_auto_id(variant.pk))
    if not form.is_valid():
        return _cart_page(request, rejected={variant.pk: form}, status=422)
    if form.cleaned_data["quantity"] == 0:
        return remove(request, variant_id)
    cart = current_cart(request)
    quantity = form.cleaned_data["quantity"]
    if not cart or not services.set_quantity(cart=cart, variant=variant, quantity=quantity):
        messages.info(request, "That book is no longer in your cart.")
    return redirect("cart:detail")


@require_POST
def remove(request: HttpRequest, variant_id: int) -> HttpResponse:
    variant = get_object_or_404(Variant, pk=variant_id)
    if cart := current_cart(request):
        services.remove(cart=cart, variant=variant)
    return redirect("cart:detail")


@require_POST
def clear(request: HttpRequest) -> HttpResponse:
    if cart := current_cart(request):
        services.clear(cart=cart)
    return redirect("cart:detail")


def _cart_page(
    request: HttpRequest, rejected: dict[int, QuantityForm] | None = None, status: int = 200
) -> HttpResponse:
    """Show the cart; `rejected` are refused forms by variant id, each shown at its line."""
    cart = current_cart(request)
    current = quote(cart) if cart else None
    rows = [Row(line, _form(line, rejected or {})) for line in current.lines] if current else []
    prefetch_related_objects([row.line.variant.product for row in rows], "images")
    return render(request, "cart/detail.html", {"quote": current, "rows": rows}, status=status)


def _form(line: QuoteLine, rejected: dict[int, QuantityForm]) -> QuantityForm:
    pk = line.variant.pk
    return rejected.get(pk) or QuantityForm(
        initial={"quantity": line.quantity}, auto_id=_auto_id(pk)
    )


def _auto_id(variant_id: int) -> str:
    """Return the pattern of a line's ids, so that each field on the page has its own."""
    return f"%s-{variant_id}"
