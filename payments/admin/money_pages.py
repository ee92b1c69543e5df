"""Pages on which staff move money in two steps: a form, then what it will do, then the deed."""

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from accounts.models import User
from orders.models import Order
from payments import gateway
from payments.admin.money_forms import CallOffForm, ManualForm, MoneyForm, RefundForm
from payments.services import manual, refunds
from payments.services.settling import StaleRead
from shop.clock import now
from shop.dialogs import page, row_or_404
from shop.services import InsufficientStock

_UNITS_GONE = (
    "Nothing was done: units of this canceled order have been sold or held since, and fewer are "
    "free than it needs."
)
_STRIPE_AWAY = "Stripe does not answer, and nothing was done. Trying again in a moment is safe."
_CHANGED = "Meanwhile this has changed. Nothing was done yet: please read again what will be."
# Whatever Stripe answers, it is read again when somebody tries once more.
_AWAY = (gateway.GatewayError, StaleRead)
REFUSALS = (refunds.CannotRefund, manual.CannotBook, InsufficientStock, *_AWAY)


def in_words(error: Exception) -> str:
    """Return why something was not done, for staff."""
    if isinstance(error, InsufficientStock):
        return _UNITS_GONE
    return _STRIPE_AWAY if isinstance(error, _AWAY) else str(error)


def move_money(
    request: HttpRequest, context: dict[str, object], form: MoneyForm, back: str
) -> HttpResponse:
    """Ask what to do, say what that means, and do just that, once, when it is confirmed."""
    context |= {"form": form, "back": back}
    is_confirmed = "confirmed" in request.POST
    if is_confirmed and form.was_sent():
        messages.info(request, "This was sent before, and done once.")
        return HttpResponseRedirect(back)
    if "change" not in request.POST and form.is_valid():
        consequences = form.consequences()
        if not is_confirmed or request.POST.getlist("shown") != consequences:
            context["consequences"] = consequences
            if is_confirmed:
                messages.warning(request, _CHANGED)
        else:
            try:
                done = form.act(by=cast(User, request.user).pk, at=now())
            except REFUSALS as error:
                form.add_error(None, in_words(error))
            else:
                messages.success(request, done)
                return HttpResponseRedirect(back)
    status = 422 if form.is_bound and form.errors else 200
    return TemplateResponse(request, "admin/payments/move_money.html", context, status=status)


class MovesMoney:
    """The buttons of an order's page that are about its money."""

    # Named by methods: a permission named itself is looked up by Unfold's system check, which must
    # not need a database.
    def has_give_back_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("payments.add_refund")

    def has_book_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("payments.add_ledgerentry")

    @page(label="Refund", icon="undo", permissions=["give_back"])
    def refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        order = self._order(request, object_id)
        form_class = RefundForm if order.total_minor else CallOffForm
        form = form_class(order, request.POST or None)
        if isinstance(form, RefundForm) and not form.captures:
            messages.error(request, "Nothing was paid for this order by Stripe.")
            return HttpResponseRedirect(reverse("admin:orders_order_change", args=[order.pk]))
        return self._page(request, "Refund", form, "Refund it" if order.total_minor else "Call off")

    @page(label="Enter money by hand", icon="payments", permissions=["book"])
    def book_by_hand(self, request: HttpRequest, object_id: str) -> HttpResponse:
        form = ManualForm(self._order(request, object_id), request.POST or None)
        return self._page(request, "Enter money by hand", form, "Book it")

    def _page(self, request: HttpRequest, title: str, form: MoneyForm, verb: str) -> HttpResponse:
        order = form.order
        context = page_context(self, request, f"{title}: order {order.number}", order)
        back = reverse("admin:orders_order_change", args=[order.pk])
        return move_money(request, context | {"verb": verb}, form, back)

    def _order(self, request: HttpRequest, object_id: str) -> Order:
        order: Order = row_or_404(self, request, object_id)
        return order


def page_context(admin: object, request: HttpRequest, title: str, row: object) -> dict[str, object]:
    """Return what the admin's own pages show around a page about `row`."""
    site = admin.admin_site  # type: ignore[attr-defined]
    around: dict[str, object] = site.each_context(request)
    return around | {"title": title, "opts": row._meta, "original": row}  # type: ignore[attr-defined]
