"""The pages of an order: for its owner, by signed link, and the way to find it again."""

from typing import cast

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import User
from orders import links
from orders.models import Order, Reason
from payments.forms import FindOrderForm
from payments.services.attempts import may_start
from payments.views import SeeOther, signed_order
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
    return render(request, "payments/orders.html", {"page": page})


@never_cache
@login_required
@require_safe
def order(request: HttpRequest, number: str) -> HttpResponse:
    """Show an order to the user who placed it; anybody else's looks like none."""
    owned = Order.objects.filter(user=cast(User, request.user))
    return _order_page(request, get_object_or_404(owned, number=number))


@never_cache
@require_safe
def order_by_link(request: HttpRequest, number: str, signature: str) -> HttpResponse:
    """Show an order to whoever holds its signed link."""
    return _order_page(request, signed_order(number, signature))


def _order_page(request: HttpRequest, shown: Order) -> HttpResponse:
    # A live attempt is always the last one: another starts only when none lives.
    attempt = shown.attempts.last()
    is_processing = attempt is not None and attempt.state == attempt.State.PROCESSING
    is_in_review = shown.reviews.open().exists()
    has_way_to_pay = (attempt is not None and attempt.is_live) or may_start(shown, now())
    context = {
        "order": shown,
        "lines": shown.lines.all(),
        "events": shown.events.exclude(reason__in=[Reason.REVIEW_OPENED, Reason.REVIEW_RESOLVED]),
        "is_processing": is_processing,
        "is_in_review": is_in_review,
        "can_be_paid": (
            shown.is_pending and has_way_to_pay and not is_processing and not is_in_review
        ),
        "pay_path": reverse("payments:pay", args=[shown.number, links.sign(shown.number)]),
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
