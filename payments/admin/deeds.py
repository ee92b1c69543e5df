"""What staff do to an order, in two steps: a form, then what it will do, then the deed, once."""

from datetime import datetime
from typing import Any, ClassVar, cast
from uuid import UUID, uuid4

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from accounts.models import User
from orders.models import Order
from orders.staff_services import CannotChangeAddress, CannotSendAgain
from payments import gateway
from payments.services import canceling, fulfilling, manual, refund_requests, refunds
from payments.services.settling import StaleRead
from shop.clock import now
from shop.services import InsufficientStock

_UNITS_GONE = (
    "Nothing was done: units of this canceled order have been sold or held since, and fewer are "
    "free than it needs."
)
_STRIPE_AWAY = "Stripe does not answer, and nothing was done. Trying again in a moment is safe."
_CHANGED = "Meanwhile this has changed. Nothing was done yet: please read again what will be."
# Whatever Stripe answers, it is read again when somebody tries once more.
_AWAY = (gateway.GatewayError, StaleRead)


class CannotDo(Exception):
    """Nothing was done; `str(error)` says why in staff's words. For deeds of apps above."""


REFUSALS = (
    CannotChangeAddress,
    CannotSendAgain,
    canceling.CannotCancel,
    fulfilling.CannotHandOver,
    fulfilling.CannotPutBack,
    refunds.CannotRefund,
    refund_requests.CannotDecide,
    manual.CannotBook,
    InsufficientStock,
    CannotDo,
    *_AWAY,
)


class TwoSteps(forms.Form):
    """A form of which a valid one knows its consequences, and acts once."""

    title: ClassVar[str]
    verb: ClassVar[str]

    key = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, initial={"key": uuid4()})

    def sent_key(self) -> UUID | None:
        """Return the key that the form came with, if it is one."""
        try:
            key: UUID = self.fields["key"].clean(self.data.get("key"))
        except ValidationError:
            return None
        return key

    def was_sent(self) -> bool:
        """Tell whether this very form was sent before, and acted."""
        return False

    def consequences(self) -> list[str]:
        """Return what acting will do, a sentence each."""
        raise NotImplementedError

    def act(self, *, by: int, at: datetime) -> str:
        """Do it in the name of the user with id `by`; return what was done, in words.

        Raises one of REFUSALS.
        """
        raise NotImplementedError


class Deed(TwoSteps):
    """A form about an order."""

    def __init__(self, order: Order, data: Any = None) -> None:
        super().__init__(data)
        self.order = order


class Plain(Deed):
    """A deed with nothing to fill in: its first page says what will be."""

    def __init__(self, order: Order, data: Any = None) -> None:
        super().__init__(order, data or {"key": uuid4()})


def in_words(error: Exception) -> str:
    """Return why something was not done, for staff."""
    if isinstance(error, InsufficientStock):
        return _UNITS_GONE
    return _STRIPE_AWAY if isinstance(error, _AWAY) else str(error)


def do(request: HttpRequest, context: dict[str, object], deed: TwoSteps, back: str) -> HttpResponse:
    """Ask what to do, say what that means, and do just that, once, when it is confirmed."""
    context |= {"form": deed, "verb": deed.verb, "back": back}
    is_confirmed = "confirmed" in request.POST
    if is_confirmed and deed.was_sent():
        messages.info(request, "This was sent before, and done once.")
        return HttpResponseRedirect(back)
    if "change" not in request.POST and deed.is_valid():
        consequences = deed.consequences()
        if not is_confirmed or request.POST.getlist("shown") != consequences:
            context["consequences"] = consequences
            if is_confirmed:
                messages.warning(request, _CHANGED)
        else:
            try:
                done = deed.act(by=cast(User, request.user).pk, at=now())
            except REFUSALS as error:
                deed.add_error(None, in_words(error))
            else:
                messages.success(request, done)
                return HttpResponseRedirect(back)
    context["is_plain"] = isinstance(deed, Plain)
    status = 422 if deed.is_bound and deed.errors else 200
    return TemplateResponse(request, "admin/payments/deed.html", context, status=status)


def order_page(
    admin: object, request: HttpRequest, deed: Deed, row: object | None = None
) -> HttpResponse:
    """Answer on a page of `admin` about the deed's order, or about `row` of it."""
    about: Any = row or deed.order
    site = admin.admin_site  # type: ignore[attr-defined]
    context: dict[str, object] = site.each_context(request) | {
        "title": f"{deed.title}: order {deed.order.number}",
        "opts": about._meta,
        "original": about,
    }
    meta = about._meta
    back = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[about.pk])
    return do(request, context, deed, back)
