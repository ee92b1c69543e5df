"""Orders with their money, and Stripe's events, as staff see them in JSON."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api.bodies import Body
from orders.models import Order, Review, Status
from payments.models import InboxEvent, LedgerEntry, Refund, RefundLine, RefundRequest
from payments.serializers import LastAttemptSerializer, OrderSerializer
from payments.services import refund_amounts
from shop.serializers import MoneyField, money_json

_MOST_MINOR = 10**12
# Why staff give money back; the others are the shop's own reasons.
WHYS = [
    (why.value, why.label) for why in Refund.Why if why not in {Refund.Why.LATE, Refund.Why.REVIEW}
]


class OrderRowSerializer(serializers.ModelSerializer[Order]):
    """An order in the list of staff."""

    user = serializers.UUIDField(source="user.public_id", allow_null=True, default=None)
    total = MoneyField("total_minor")
    is_in_review = serializers.BooleanField(help_text="Whether a question waits for a person.")
    is_disputed = serializers.BooleanField(help_text="Whether a bank is asking for money back.")

    class Meta:
        model = Order
        fields = (
            "number",
            "status",
            "email",
            "user",
            "placed_by",
            "placed_at",
            "total",
            "is_in_review",
            "is_disputed",
        )


class OrderQuery(serializers.Serializer[Any]):
    """Which orders staff look for."""

    search = serializers.CharField(
        required=False, max_length=254, help_text="Part of the number or the e-mail address."
    )
    status = serializers.ChoiceField(choices=Status.choices, required=False)
    is_in_review = serializers.BooleanField(required=False)
    is_disputed = serializers.BooleanField(required=False)
    placed_from = serializers.DateTimeField(required=False)
    placed_before = serializers.DateTimeField(required=False)


class AttemptSerializer(LastAttemptSerializer):
    """A try to pay, with Stripe's ids."""

    class Meta(LastAttemptSerializer.Meta):
        fields = (  # type: ignore[assignment]
            *LastAttemptSerializer.Meta.fields,
            "session_id",
            "intent_id",
        )


class LedgerEntrySerializer(serializers.ModelSerializer[LedgerEntry]):
    """Money that moved."""

    amount = MoneyField("amount_minor")

    class Meta:
        model = LedgerEntry
        fields = ("kind", "amount", "stripe_id", "booked_at")


class RefundLineSerializer(serializers.ModelSerializer[RefundLine]):
    sku = serializers.CharField(source="line.sku")

    class Meta:
        model = RefundLine
        fields = ("sku", "quantity", "handed_over")


class RefundSerializer(serializers.ModelSerializer[Refund]):
    """Money given back, or asked back."""

    amount = MoneyField("amount_minor")
    lines = RefundLineSerializer(many=True)

    class Meta:
        model = Refund
        fields = (
            "charge_id",
            "amount",
            "state",
            "failure",
            "why",
            "note",
            "source",
            "is_restocked",
            "created_at",
            "lines",
        )


class ReviewSerializer(serializers.ModelSerializer[Review]):
    """A question that a person answers, in the admin."""

    class Meta:
        model = Review
        fields = ("reason", "detail", "opened_at", "resolved_at", "resolution")


class RefundRequestSerializer(serializers.ModelSerializer[RefundRequest]):
    """A refund above the limit; one without a decision waits for a second person."""

    amount = MoneyField("amount_minor")

    class Meta:
        model = RefundRequest
        fields = ("charge_id", "amount", "why", "note", "asked_at", "decision", "decided_at")


class StaffOrderSerializer(OrderSerializer):
    """An order with its books."""

    user = serializers.UUIDField(source="order.user.public_id", allow_null=True, default=None)
    attempts = AttemptSerializer(source="order.attempts", many=True)
    ledger = LedgerEntrySerializer(source="order.ledger", many=True)
    all_refunds = serializers.SerializerMethodField(help_text="Failed ones too.")
    reviews = ReviewSerializer(source="order.reviews", many=True)
    refund_requests = RefundRequestSerializer(source="order.refund_requests", many=True)
    refundable = serializers.SerializerMethodField(help_text="What is left of each payment.")

    # The buyer's link: whoever follows it acts in his name.
    url = None  # type: ignore[assignment]

    @extend_schema_field(RefundSerializer(many=True))
    def get_all_refunds(self, shown: Any) -> Any:
        rows = shown.order.refunds.prefetch_related("lines__line")
        return RefundSerializer(rows, many=True).data

    @extend_schema_field(
        {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["charge_id", "amount"],
                "properties": {
                    "charge_id": {"type": "string"},
                    "amount": {"$ref": "#/components/schemas/Money"},
                },
            },
        }
    )
    def get_refundable(self, shown: Any) -> Any:
        captures = shown.order.ledger.filter(kind=LedgerEntry.Kind.CAPTURE)
        return [
            {
                "charge_id": capture.stripe_id,
                "amount": money_json(
                    refund_amounts.refundable_minor(
                        order=shown.order, charge_id=capture.stripe_id or ""
                    ),
                    capture.currency,
                ),
            }
            for capture in captures
        ]


class UnitsSerializer(Body):
    sku = serializers.CharField(max_length=64)
    quantity = serializers.IntegerField(min_value=1, max_value=1_000_000)


class FulfillSerializer(Body):
    """Which units leave the house; without `lines` all that are left."""

    lines = serializers.ListField(
        child=UnitsSerializer(), required=False, allow_empty=False, max_length=100
    )
    carrier = serializers.CharField(
        default="", allow_blank=True, max_length=40, help_text="By whom they are carried."
    )
    tracking_number = serializers.CharField(default="", allow_blank=True, max_length=64)
    tell_buyer = serializers.BooleanField(default=True, help_text="Whether a mail tells the buyer.")


class CancelSerializer(Body):
    note = serializers.CharField(max_length=200, help_text="Why, for the buyer to read.")


class AskRefundSerializer(Body):
    """What goes back: the price of `lines`, or an `amount`, or, with neither, all that is left."""

    charge_id = serializers.CharField(
        required=False,
        max_length=255,
        help_text="Which payment; may be left out where there is one.",
    )
    lines = serializers.ListField(
        child=UnitsSerializer(), required=False, allow_empty=False, max_length=100
    )
    amount = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=_MOST_MINOR,
        help_text="In minor units of the payment's currency; takes no units along.",
    )
    restock = serializers.BooleanField(
        default=False, help_text="Put its units back on the shelf once it succeeds."
    )
    why = serializers.ChoiceField(choices=WHYS)
    note = serializers.CharField(
        default="", allow_blank=True, max_length=200, help_text="For staff."
    )

    def validate(self, asked: dict[str, Any]) -> dict[str, Any]:
        if "lines" in asked and "amount" in asked:
            raise serializers.ValidationError("Ask for lines or for an amount, not for both.")
        return asked


class InboxEventSerializer(serializers.ModelSerializer[InboxEvent]):
    """What Stripe told; the id is Stripe's."""

    id = serializers.CharField(source="event_id")
    order_number = serializers.CharField(source="order.number", allow_null=True, default=None)

    class Meta:
        model = InboxEvent
        fields = (
            "id",
            "type",
            "state",
            "attempts",
            "last_error",
            "set_aside_why",
            "order_number",
            "made_at",
            "received_at",
            "finished_at",
        )


class InboxQuery(serializers.Serializer[Any]):
    """Which events staff look for."""

    state = serializers.ChoiceField(choices=InboxEvent.State.choices, required=False)
    type = serializers.CharField(required=False, max_length=255)
    order = serializers.CharField(required=False, max_length=16, help_text="An order's number.")
