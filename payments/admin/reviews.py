"""What waits for a person's word, open ones first."""

from typing import cast

from django.contrib import admin, messages
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse

from accounts.models import User
from orders.models import Review
from payments.admin import display
from payments.admin.deeds import REFUSALS, in_words, order_page
from payments.admin.money_deeds import ManualForm, told
from payments.services import reviews
from shop.clock import now
from shop.dialogs import dialog, page, reload, row_or_404
from shop.read_only import ReadOnlyAdmin
from shop.services import InsufficientStock


class _Resolver:
    """Shows who resolved a review: it names him by a plain id."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Review]:
        rows: QuerySet[Review] = super().get_queryset(request)  # type: ignore[misc]
        return rows.annotate(resolver=display.email_of("resolved_by_id"))

    def resolved_by(self, review: Review) -> str:
        return getattr(review, "resolver", None) or "-"


class OpenFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [("open", "Open"), ("resolved", "Resolved")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Review]) -> QuerySet[Review]:
        if self.value() is None:
            return queryset
        return queryset.filter(resolved_at__isnull=self.value() == "open")


@admin.register(Review)
class ReviewAdmin(_Resolver, ReadOnlyAdmin):
    list_display = ("opened_at", "order", "reason", "cause", "resolution", "resolved_at")
    list_display_links = ("opened_at", "reason")
    list_filter = (OpenFilter, "reason", "opened_at")
    list_select_related = ("order",)
    search_fields = ("order__number", "order__email", "cause")
    ordering = (F("resolved_at").desc(nulls_first=True), "-opened_at")
    fields = (
        "order",
        "reason",
        "detail",
        "cause",
        "opened_at",
        "resolution",
        "resolved_at",
        "resolved_by",
    )
    actions_detail = ("accept", "refund", "settle")

    def has_resolve_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("orders.change_review")

    @dialog(
        label="Accept",
        icon="check",
        text="The payment stands as it came. When this is the order's last open review, an order "
        "that waits for payment or was canceled becomes paid; one that waits, and whose payment "
        "could not be booked, is canceled. Units that a failed refund had put back, and that were "
        "gone, are taken off the shelf.",
        permission="resolve",
    )
    def accept(self, request: HttpRequest, form: object, object_id: str) -> HttpResponse:
        review, staff = self._review(request, object_id), cast(User, request.user)
        try:
            reviews.accept(review_id=review.pk, by=staff.pk, at=now())
        except reviews.CannotAccept as error:
            messages.error(request, str(error))
        except InsufficientStock:
            messages.error(
                request,
                "The review stays open: units of this order have been sold or held since, and "
                "fewer are free than it needs.",
            )
        else:
            messages.success(request, "The review is accepted.")
        return reload(review)

    def has_refund_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return self.has_resolve_permission(request) and request.user.has_perm("payments.add_refund")

    @dialog(
        label="Refund",
        icon="undo",
        text="The money that this review names goes back by Stripe: what the failed refund was "
        "for, else all that is left of the payment. Once it did, the review is resolved; if it is "
        "the last one of an order that waits for payment, the order is canceled then.",
        permission="refund",
    )
    def refund(self, request: HttpRequest, form: object, object_id: str) -> HttpResponse:
        review, staff = self._review(request, object_id), cast(User, request.user)
        try:
            asked = reviews.refund(review_id=review.pk, by=staff.pk, at=now())
        except REFUSALS as error:
            messages.error(request, in_words(error))
        else:
            messages.success(request, told(asked))
        return reload(review)

    def has_settle_permission(self, request: HttpRequest, obj: object = None) -> bool:
        may_book = request.user.has_perm("payments.add_ledgerentry")
        return self.has_resolve_permission(request) and may_book

    @page(label="Settle by hand", icon="payments", permissions=["settle"])
    def settle(self, request: HttpRequest, object_id: str) -> HttpResponse:
        review = self._review(request, object_id)
        form = ManualForm(review.order, request.POST or None, review)
        return order_page(self, request, form, review)

    def _review(self, request: HttpRequest, object_id: str) -> Review:
        review: Review = row_or_404(self, request, object_id)
        return review
