"""The pages of an order: for its owner, by signed link, and the way to find it again."""

from typing import cast

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import User
from orders import links
from orders.models import Order
from payments.forms import FindOrderForm
from payments.reading import read_order
from payments.standings import standings
from payments.story import cancellation
from payments.views import SeeOther
from shop.clock import now
from shop.limits import limited

_PER_PAGE = 20


@never_cache
@login_required
@require_safe
def order_list(request: HttpRequest) -> HttpResponse:
    """Show the signed-in user's orders, newest first."""
    user = cast(User, request.user)
    page = Paginator(user.orders.all(), _PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "pages": page.paginator.get_elided_page_range(page.number),
        "standings": standings(cast(QuerySet[Order], page.object_list), now()),
    }
    return render(request, "payments/orders.html", context)


@never_cache
@login_required
@require_safe
def order(request: HttpRequest, number: str) -> HttpResponse:
    """Show an order to the user who placed it; anybody else's looks like none."""
    user = cast(User, request.user)
    return _order_page(request, user.orders.filter(number=number))


@never_cache
@require_safe
def order_by_link(request: HttpRequest, number: str, signature: str) -> HttpResponse:
    """Show an order to whoever holds its signed link."""
    if not links.is_signed(number, signature):
        raise Http404("no such order")
    return _order_page(request, Order.objects.filter(number=number))


def _order_page(request: HttpRequest, asked_for: QuerySet[Order]) -> HttpResponse:
    shown = read_order(asked_for, now())
    context = {
        "order": shown.order,
        "standing": shown.standing,
        "lines": shown.order.lines.all(),
        "money_back": shown.money_back,
        "parcels": shown.fulfillments,
        "story": shown.story,
        "last": shown.story[-1],
        "cancellation": cancellation(shown.story),
    }
    return render(request, "payments/order.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@limited("find_order")
def find_order(request: HttpRequest) -> HttpResponse:
    """Lead a guest who knows an order's number and e-mail address to its page."""
    form = FindOrderForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        found = Order.objects.filter(
            number=form.cleaned_data["number"], email__iexact=form.cleaned_data["email"]
        ).first()
        if found:
            return SeeOther(links.path(found))
        form.add_error(None, "We know no order with this number and e-mail address.")
    status = 422 if form.errors else 200
    return render(request, "payments/find_order.html", {"form": form}, status=status)
