"""Orders and their payments as JSON."""

from typing import Any, cast

from django import forms
from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api.bodies import Body
from orders import links
from orders.models import Fulfillment, FulfillmentLine, Order, Reason, Status
from payments.forms import CheckoutForm, FindOrderForm
from payments.models import PaymentAttempt, Refund
from payments.standings import Phase
from shop.serializers import MoneyField

ADDRESS_FIELDS = ("name", "line1", "line2", "postal_code", "city", "region", "country")


def from_form(field: forms.Field) -> serializers.Field[Any, Any, Any, Any]:
    """Return a form's field for JSON, with its limits and its words: rules are written once."""
    words = {name: str(text) for name, text in field.error_messages.items()}
    options: dict[str, Any] = {
        "required": field.required,
        "help_text": field.help_text or field.label,
        "error_messages": words | {"blank": words["required"], "null": words["required"]},
    }
    match field:
        case forms.ChoiceField():
            choices = [choice for choice in cast(Any, field.choices) if choice[0]]
            return serializers.ChoiceField(choices=choices, **options)
        case forms.EmailField():
            return serializers.EmailField(max_length=field.max_length, **options)
        case forms.CharField():
            if not field.required:
                options |= {"allow_blank": True, "default": ""}
                del options["required"]
            return serializers.CharField(max_length=field.max_length, **options)
    raise TypeError(f"no JSON for {field}")


class AddressSerializer(Body):
    """Where an order goes."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = CheckoutForm.base_fields
        return {name: from_form(fields[name]) for name in ADDRESS_FIELDS}


class FrozenAddressSerializer(serializers.Serializer[Any]):
    """An address as it was given when the order was placed."""

    name = serializers.CharField()
    line1 = serializers.CharField()
    line2 = serializers.CharField()
    postal_code = serializers.CharField()
    city = serializers.CharField()
    region = serializers.CharField()
    country = serializers.CharField(help_text="ISO 3166-1 alpha-2 code.")

    def to_representation(self, instance: dict[str, str]) -> dict[str, str]:
        # Of somebody whose data were erased the country alone is left.
        return {name: instance.get(name, "") for name in ADDRESS_FIELDS}


class PlaceSerializer(Body):
    """What an order needs beside its cart."""

    email = from_form(CheckoutForm.base_fields["email"])
    shipping_address = AddressSerializer()
    fingerprint = serializers.CharField(
        max_length=200, help_text="The cart's, which stands for the figures that were agreed to."
    )


class FindSerializer(Body):
    number = from_form(FindOrderForm.base_fields["number"])
    email = from_form(FindOrderForm.base_fields["email"])


class OrderLineSerializer(serializers.Serializer[Any]):
    sku = serializers.CharField()
    title = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_price = MoneyField("unit_price_minor", currency="order.currency")
    subtotal = MoneyField("subtotal_minor", currency="order.currency")
    discount = MoneyField("discount_minor", currency="order.currency")


class StorySerializer(serializers.Serializer[Any]):
    """Something that happened to the order."""

    at = serializers.DateTimeField()
    reason = serializers.ChoiceField(choices=Reason.choices)
    status = serializers.ChoiceField(choices=Status.choices, help_text="The order's after it.")
    words = serializers.CharField(help_text="For the buyer to read.")


class MoneyBackSerializer(serializers.Serializer[Any]):
    """A refund as its buyer meets it."""

    amount = MoneyField("refund.amount_minor", currency="refund.currency")
    state = serializers.ChoiceField(source="refund.state", choices=Refund.State.choices)
    asked_at = serializers.DateTimeField(source="refund.created_at")
    expected_by = serializers.DateTimeField(help_text="When a bank shows it at the latest.")


class FulfillmentLineSerializer(serializers.ModelSerializer[FulfillmentLine]):
    sku = serializers.CharField(source="line.sku")

    class Meta:
        model = FulfillmentLine
        fields = ("sku", "quantity")


class FulfillmentSerializer(serializers.ModelSerializer[Fulfillment]):
    """Units that were handed over at one time."""

    lines = FulfillmentLineSerializer(many=True)

    class Meta:
        model = Fulfillment
        fields = (
            "handed_over_at",
            "carrier",
            "tracking_number",
            "tracking_url",
            "delivered_at",
            "lines",
        )


class OrderSummarySerializer(serializers.Serializer[Any]):
    """An order in a list."""

    number = serializers.CharField(source="order.number")
    status = serializers.ChoiceField(source="order.status", choices=Status.choices)
    phase = serializers.ChoiceField(
        choices=[(phase.value, phase.value) for phase in Phase],
        help_text="What its buyer has to know first; `payable` orders can be paid.",
    )
    placed_at = serializers.DateTimeField(source="order.placed_at")
    total = MoneyField("order.total_minor", currency="order.currency")
    first_title = serializers.CharField(help_text="The title of its first line.")
    further_lines = serializers.IntegerField(help_text="How many other lines it has.")


class OrderSerializer(serializers.Serializer[Any]):
    """An order as its buyer is shown it."""

    number = serializers.CharField(source="order.number")
    status = serializers.ChoiceField(source="order.status", choices=Status.choices)
    phase = serializers.ChoiceField(
        source="standing.phase", choices=[(phase.value, phase.value) for phase in Phase]
    )
    placed_at = serializers.DateTimeField(source="order.placed_at")
    pay_by = serializers.SerializerMethodField(
        help_text="Until when it can be paid; null where it cannot."
    )
    email = serializers.EmailField(source="order.email")
    url = serializers.SerializerMethodField(help_text="Of its page, open to whoever has the link.")
    lines = OrderLineSerializer(source="order.lines.all", many=True)
    subtotal = MoneyField("order.subtotal_minor", currency="order.currency")
    discount = MoneyField("order.discount_minor", currency="order.currency")
    shipping = MoneyField("order.shipping_minor", currency="order.currency")
    tax = MoneyField("order.tax_minor", currency="order.currency")
    total = MoneyField("order.total_minor", currency="order.currency")
    tax_included = MoneyField("order.tax_included_minor", currency="order.currency")
    shipping_address = FrozenAddressSerializer(source="order.shipping_address")
    billing_address = FrozenAddressSerializer(source="order.billing_address", allow_null=True)
    cancel_note = serializers.CharField(
        source="order.cancel_note", help_text="Why staff canceled it, if they did."
    )
    fulfillments = FulfillmentSerializer(many=True)
    refunds = MoneyBackSerializer(source="money_back", many=True)
    story = StorySerializer(many=True)

    @extend_schema_field({"type": ["string", "null"], "format": "date-time"})
    def get_pay_by(self, shown: Any) -> str | None:
        if not shown.standing.is_payable:
            return None
        return serializers.DateTimeField().to_representation(shown.standing.pay_by)

    @extend_schema_field({"type": "string", "format": "uri"})
    def get_url(self, shown: Any) -> str:
        return links.url(shown.order)


class OwnedOrderSerializer(OrderSerializer):
    """An order with what opens it again."""

    token = serializers.SerializerMethodField(help_text="Send it as Order-Token to be let in.")

    def get_token(self, shown: Any) -> str:
        return links.sign(shown.order.number)


class CheckoutSessionSerializer(serializers.ModelSerializer[PaymentAttempt]):
    """Stripe's page on which an order is paid; open it in a browser."""

    url = serializers.URLField()
    id = serializers.CharField(source="session_id")
    amount = MoneyField("amount_minor")
    expires_at = serializers.DateTimeField(source="deadline_at")

    class Meta:
        model = PaymentAttempt
        fields = ("id", "url", "amount", "expires_at")


class PaymentIntentSerializer(serializers.ModelSerializer[PaymentAttempt]):
    """What a client of Stripe's needs to pay an order itself; show the secret to nobody else."""

    id = serializers.CharField(source="intent_id")
    publishable_key = serializers.SerializerMethodField(help_text="For Stripe's client.")
    amount = MoneyField("amount_minor")
    expires_at = serializers.DateTimeField(
        source="deadline_at", help_text="Afterwards it is canceled, and another can be asked for."
    )

    class Meta:
        model = PaymentAttempt
        fields = ("id", "client_secret", "publishable_key", "amount", "expires_at")

    def get_publishable_key(self, attempt: PaymentAttempt) -> str:
        return settings.STRIPE_PUBLISHABLE_KEY


class PlacedOrderSerializer(serializers.ModelSerializer[Order]):
    """An order as far as its client must know to go on; the rest is asked for by its number."""

    token = serializers.SerializerMethodField(help_text="Send it as Order-Token to be let in.")
    total = MoneyField("total_minor")

    class Meta:
        model = Order
        fields = ("number", "token", "status", "placed_at", "email", "total")

    def get_token(self, order: Order) -> str:
        return links.sign(order.number)


class CheckoutSerializer(serializers.Serializer[Any]):
    """An order, and where it is paid; `checkout_session` is null where nothing is to pay."""

    order = PlacedOrderSerializer()
    checkout_session = CheckoutSessionSerializer(allow_null=True)


class SessionStateSerializer(serializers.Serializer[Any]):
    """What the shop's database knows of a Checkout Session."""

    id = serializers.CharField(source="session_id")
    state = serializers.ChoiceField(choices=PaymentAttempt.State.choices)
    is_settled = serializers.SerializerMethodField(
        help_text="Whether it is over; if not, ask again in a few seconds."
    )
    order_number = serializers.CharField(source="order.number")

    def get_is_settled(self, attempt: PaymentAttempt) -> bool:
        return not attempt.is_live


class IntentStateSerializer(SessionStateSerializer):
    """What the shop's database knows of a PaymentIntent."""

    id = serializers.CharField(source="intent_id")


class LastAttemptSerializer(serializers.ModelSerializer[PaymentAttempt]):
    """A try to pay; `closed_as` says how it ended if it came to nothing."""

    expires_at = serializers.DateTimeField(source="deadline_at")

    class Meta:
        model = PaymentAttempt
        fields = ("kind", "state", "closed_as", "amount", "created_at", "expires_at")

    amount = MoneyField("amount_minor")


class PaymentStatusSerializer(serializers.Serializer[Any]):
    """Where an order stands with its payment."""

    order_number = serializers.CharField(source="order.number")
    status = serializers.ChoiceField(source="order.status", choices=Status.choices)
    phase = serializers.ChoiceField(choices=[(phase.value, phase.value) for phase in Phase])
    is_payable = serializers.BooleanField()
    was_charged = serializers.BooleanField(help_text="Whether money ever came.")
    total = MoneyField("order.total_minor", currency="order.currency")
    last_attempt = serializers.SerializerMethodField()

    @extend_schema_field(LastAttemptSerializer(allow_null=True))
    def get_last_attempt(self, standing: Any) -> Any:
        attempt = standing.order.attempts.last()
        return LastAttemptSerializer(attempt).data if attempt else None
