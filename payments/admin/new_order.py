"""A page on which staff order for somebody: by phone, at the counter."""

import re
from typing import Any, cast
from uuid import uuid4

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.widgets import INPUT_CLASSES, SELECT_CLASSES, UnfoldAdminRadioSelectWidget

from accounts.models import User
from cart.quotes import Quote, quote_of
from orders.services import Buyer
from payments.admin.deeds import in_words
from payments.forms import AddressForm
from payments.models import LedgerEntry
from payments.services import manual, placing, staff_orders
from shop.clock import now
from shop.models import Product, Variant
from shop.money import format_any
from shop.services import InsufficientStock

_RESULTS = 20
_MOST_UNITS = 10_000
_LINK = "link"


class NewOrderForm(AddressForm):
    """Who orders, where it goes, and how it is paid; which units stand beside it."""

    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)
    email = forms.EmailField(label="E-mail address", max_length=254)
    paid = forms.ChoiceField(
        label="Payment",
        choices=[
            (_LINK, "a mail with the way to pay it is sent now"),
            *((means.value, f"paid already: {means.label}") for means in LedgerEntry.Means),
        ],
        initial=_LINK,
        widget=UnfoldAdminRadioSelectWidget,
    )
    note = forms.CharField(
        label="Note for staff",
        required=False,
        max_length=200,
        help_text="Where it is paid already: what for, and to whom.",
    )
    field_order = ("key", "email")

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        for name, field in self.fields.items():
            if name != "paid":
                is_choice = isinstance(field, forms.ChoiceField)
                classes = SELECT_CLASSES if is_choice else INPUT_CLASSES
                # It is the buyer's address, not one that the browser knows.
                field.widget.attrs |= {"class": " ".join(classes), "autocomplete": "off"}

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("paid") != _LINK and not cleaned.get("note"):
            self.add_error("note", "Say what was paid, and to whom.")
        return cleaned

    @property
    def means(self) -> LedgerEntry.Means | None:
        paid = self.cleaned_data["paid"]
        return None if paid == _LINK else LedgerEntry.Means(paid)


def new_order(request: HttpRequest, model_admin: ModelAdmin) -> HttpResponse:
    """Collect units and a buyer, say what ordering will do, and place the order, once."""
    if not request.user.has_perm("orders.add_order"):
        raise PermissionDenied
    quantities = _quantities(request)
    form = NewOrderForm(request.POST if "look" not in request.POST and request.POST else None)
    if "look" in request.POST:
        form.initial = request.POST.dict()
    quote = quote_of(quantities)
    context = model_admin.admin_site.each_context(request) | {
        "title": "New order",
        "opts": model_admin.opts,
        "form": form,
        "quote": quote,
        "words": request.POST.get("words", ""),
        "found": _found(request.POST.get("words", ""), quantities),
    }
    if form.is_bound and form.is_valid() and "change" not in request.POST:
        consequences = _consequences(form, quote)
        is_confirmed = "confirmed" in request.POST
        if not quote.lines:
            form.add_error(None, "Choose what is ordered: search for it, and enter units.")
        elif not is_confirmed or request.POST.getlist("shown") != consequences:
            if is_confirmed:
                messages.warning(request, "Meanwhile this has changed: please read it again.")
            context["consequences"] = consequences
        else:
            answer = _place(request, form, quantities)
            if answer is not None:
                return answer
    status = 422 if form.is_bound and form.errors else 200
    return TemplateResponse(request, "admin/payments/new_order.html", context, status=status)


def _place(
    request: HttpRequest, form: NewOrderForm, quantities: dict[int, int]
) -> HttpResponse | None:
    """Place the order and lead to it; or put on the form why not, and return None."""
    email = form.cleaned_data["email"]
    buyer = Buyer(
        user=User.objects.filter(email__iexact=email, is_active=True).first(),
        email=email,
        address=form.address(),
        locale=settings.LANGUAGE_CODE,
        client_ip=None,
    )
    try:
        order = staff_orders.place(
            buyer=buyer,
            quantities=quantities,
            by=cast(User, request.user).pk,
            at=now(),
            key=form.cleaned_data["key"],
            means=form.means,
            note=form.cleaned_data["note"],
        )
    except InsufficientStock as error:
        short = {shortage.variant_id: shortage.free for shortage in error.shortages}
        titles = Variant.objects.filter(pk__in=short).select_related("product")
        for variant in titles:
            free = short[variant.pk]
            form.add_error(None, f"{variant.product.title}, {variant.title}: {free} are free.")
    except (placing.CannotPlace, manual.CannotBook) as error:
        form.add_error(None, in_words(error))
    else:
        messages.success(request, f"Order {order.number} is placed.")
        return HttpResponseRedirect(reverse("admin:orders_order_change", args=[order.pk]))
    return None


def _quantities(request: HttpRequest) -> dict[int, int]:
    """Return the units by variant id that were entered, those above zero."""
    entered = {}
    for name in request.POST:
        text = request.POST.get(name, "").strip()
        field = re.fullmatch(r"units_([0-9]{1,18})", name)
        units = int(text) if re.fullmatch(r"[0-9]{1,5}", text) else 0
        if field and 0 < units <= _MOST_UNITS:
            entered[int(field[1])] = units
    return entered


def _found(words: str, chosen: dict[int, int]) -> list[Variant]:
    """Return what is on sale and fits the words, but what is chosen already."""
    if not words.strip():
        return []
    titled = Product.objects.matching(words.strip()).values_list("pk", flat=True)[:_RESULTS]
    starts = Q(sku__startswith=words.strip()) | Q(sku__startswith=words.strip().upper())
    fits = starts | Q(product__in=list(titled))
    found = Variant.objects.on_sale().filter(fits).exclude(pk__in=chosen)
    return list(found.select_related("product").order_by("product__title", "pk")[:_RESULTS])


def _consequences(form: NewOrderForm, quote: Quote) -> list[str]:
    total = format_any(quote.total_minor, quote.currency)
    units = ", ".join(f"{line.quantity} x {line.title}" for line in quote.lines)
    held = f"{units}: held for {form.cleaned_data['email']}, for {total} with shipping."
    means = form.means
    if not quote.total_minor:
        return [held, "It costs nothing, so it is paid at once."]
    if means is None:
        days = settings.STAFF_PAY_WITHIN.days
        return [held, f"A mail leads to its payment, which is possible for {days} days."]
    return [
        held,
        f"{total} is booked as received ({means.label}), and a confirmation goes out by mail.",
    ]
