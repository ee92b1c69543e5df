"""Forms by which staff give money back and enter what moved outside of Stripe.

Each says what will happen before it does, and carries a key: sent twice, it acts once.
"""

from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from orders.models import Order, OrderLine, Review, Status
from payments.admin.deeds import Deed, Plain
from payments.models import LedgerEntry, Refund, RefundRequest
from payments.services import (
    fulfilling,
    manual,
    refund_amounts,
    refund_requests,
    refunds,
    sums,
)
from shop.money import currency, format_any

_MOST_DIGITS = 12
# What is asked of each line, by the first part of the field's name.
_OF_UNITS = ("units", "handed_over")


class MoneyDeed(Deed):
    """A deed about an order's money."""

    def was_sent(self) -> bool:
        key = self.sent_key()
        return key is not None and (
            Refund.objects.filter(key=key).exists()
            or RefundRequest.objects.filter(key=key).exists()
            or LedgerEntry.objects.filter(form_key=key).exists()
        )

    def minor(self, amount: Decimal, code: str) -> int:
        """Return an amount in minor units; raises ValidationError for a part of one."""
        scaled = amount.scaleb(currency(code).exponent)
        if scaled != int(scaled):
            raise ValidationError({"amount": f"{code} has no such fractions."})
        return int(scaled)


class CallOffForm(Plain):
    """An order that cost nothing, before any of it is handed over."""

    title, verb = "Call off", "Call it off"

    def clean(self) -> None:
        try:
            refunds.check_call_off(self.order)
        except refunds.CannotRefund as error:
            raise ValidationError(str(error)) from error

    def consequences(self) -> list[str]:
        return [
            "This order cost nothing: there is no money to give back.",
            "It becomes refunded, its units go back on the shelf, and a mail tells the buyer.",
        ]

    def act(self, *, by: int, at: datetime) -> str:
        refunds.call_off(order_id=self.order.pk, by=by, at=at)
        return "The order is called off."


def told(asked: Refund | RefundRequest) -> str:
    """Return what became of asking for a refund."""
    amount = format_any(asked.amount_minor, asked.currency)
    if isinstance(asked, RefundRequest):
        return f"A second person is asked to approve the refund of {amount}."
    return f"{amount} is being given back."


class RefundForm(MoneyDeed):
    """What of a payment goes back: all that is left of it, the price of units, or an amount."""

    title, verb = "Refund", "Refund it"

    charge = forms.ChoiceField(label="Payment", widget=UnfoldAdminSelectWidget)
    what = forms.ChoiceField(
        label="What goes back",
        choices=[
            ("all", "all that is left of the payment"),
            ("units", "the price of these units"),
            ("amount", "an amount, and no units"),
        ],
        help_text="All of the order's last money takes its units along. Shipping goes back with "
        "the last unit.",
        widget=UnfoldAdminRadioSelectWidget,
    )
    amount = forms.DecimalField(
        required=False, max_digits=_MOST_DIGITS, widget=UnfoldAdminDecimalFieldWidget
    )
    restock = forms.BooleanField(
        label="Put the units back on the shelf", required=False, widget=UnfoldBooleanWidget
    )
    why = forms.ChoiceField(
        label="Reason",
        choices=[
            (why.value, why.label)
            for why in Refund.Why
            if why not in {Refund.Why.LATE, Refund.Why.REVIEW}
        ],
        widget=UnfoldAdminSelectWidget,
    )
    note = forms.CharField(
        label="What for, in your words",
        max_length=200,
        help_text="For staff alone.",
        widget=UnfoldAdminTextInputWidget,
    )

    def __init__(self, order: Order, data: Any = None) -> None:
        super().__init__(order, data)
        captures = order.ledger.filter(kind=LedgerEntry.Kind.CAPTURE)
        self.captures = {capture.stripe_id or "": capture for capture in captures}
        cast(forms.ChoiceField, self.fields["charge"]).choices = self._charges()
        codes = dict.fromkeys(capture.currency for capture in captures)
        self.fields["amount"].label = f"Amount in {' or '.join(codes)}"
        taken = sums.refunded_quantities(order)
        self.left = {line: line.quantity - taken[line.pk] for line in order.lines.all()}
        for line, units in self.left.items():
            self.fields[f"units_{line.pk}"] = forms.IntegerField(
                label=f"Units of {line.title}",
                help_text=f"{units} of {line.quantity} can be refunded.",
                required=False,
                min_value=0,
                max_value=units,
                widget=UnfoldAdminIntegerFieldWidget,
            )
        self.unsent = fulfilling.left_to_hand_over(order)
        for line, units in self.left.items():
            if 0 < self.unsent[line.pk] < units:
                self.fields[f"handed_over_{line.pk}"] = self._handed_over(line, units)
        units_names = [f"{name}_{line.pk}" for line in self.left for name in _OF_UNITS]
        self.order_fields(["key", "charge", "what", *units_names])

    def _handed_over(self, line: OrderLine, units: int) -> forms.IntegerField:
        """Return the question that only an order of which some is handed over asks."""
        unsent = self.unsent[line.pk]
        return forms.IntegerField(
            label=f"How many of these units of {line.title} had been handed over",
            help_text=f"{units - unsent} had, {unsent} had not. Left empty, those that had not go "
            "first.",
            required=False,
            min_value=0,
            max_value=units - unsent,
            widget=UnfoldAdminIntegerFieldWidget,
        )

    def _charges(self) -> list[tuple[str, str]]:
        return [
            (charge_id, f"{format_any(capture.amount_minor, capture.currency)} ({charge_id})")
            for charge_id, capture in self.captures.items()
        ]

    def clean(self) -> None:
        if self.errors:
            return
        charge_id = self.cleaned_data["charge"]
        self.currency = self.captures[charge_id].currency
        self.left_minor = refund_amounts.refundable_minor(order=self.order, charge_id=charge_id)
        self.quantities = self._quantities()
        self.handed_over = refund_amounts.unsent_first(order=self.order, quantities=self.quantities)
        if self.cleaned_data["what"] == "units":
            self.handed_over |= self._told_to_be_out()
        self.amount_minor = self._amount_minor()
        try:
            refunds.check(
                order=self.order,
                charge_id=charge_id,
                amount_minor=self.amount_minor,
                quantities=self.quantities,
                handed_over=self.handed_over,
                restock=self.cleaned_data["restock"],
            )
        except refunds.CannotRefund as error:
            raise ValidationError(str(error)) from error

    def _quantities(self) -> dict[int, int]:
        match self.cleaned_data["what"]:
            case "all":
                asked = refund_amounts.units_along(
                    order=self.order, amount_minor=self.left_minor, currency=self.currency
                )
            case "units":
                if self.currency != self.order.currency:
                    words = f"Units are priced in {self.order.currency}, which this payment is not."
                    raise ValidationError({"what": f"{words} Choose an amount."})
                asked = {line.pk: self.cleaned_data[f"units_{line.pk}"] or 0 for line in self.left}
                if not any(asked.values()):
                    raise ValidationError("Enter how many units are refunded.")
            case _:
                asked = {}
        return {line_id: units for line_id, units in asked.items() if units}

    def _told_to_be_out(self) -> dict[int, int]:
        told = {pk: self.cleaned_data.get(f"handed_over_{pk}") for pk in self.quantities}
        return {pk: units for pk, units in told.items() if units is not None}

    def _is_last(self) -> bool:
        """Tell whether a paid order has no money any more once this is gone."""
        gone = Counter({self.currency: self.amount_minor})
        return self.order.is_paid and not sums.is_any(sums.kept(self.order) - gone)

    def _amount_minor(self) -> int:
        match self.cleaned_data["what"]:
            case "all":
                return self.left_minor
            case "units":
                return min(self._price_minor(), self.left_minor)
        if self.cleaned_data["amount"] is None:
            raise ValidationError({"amount": "Enter the amount."})
        return self.minor(self.cleaned_data["amount"], self.currency)

    def _price_minor(self) -> int:
        return refund_amounts.amount_of_units(order=self.order, quantities=self.quantities)

    def consequences(self) -> list[str]:
        amount = format_any(self.amount_minor, self.currency)
        sentences = [f"{amount} goes back to the buyer by Stripe, and a mail says so."]
        if self._waits():
            limit = format_any(settings.REFUND_LIMIT_MINOR, self.currency)
            sentences.insert(
                0,
                f"It is above {limit} in all, so nothing happens yet: a second person is asked to "
                "approve it. Then:",
            )
        if self.cleaned_data["what"] == "units" and self._price_minor() > self.amount_minor:
            price = format_any(self._price_minor(), self.currency)
            sentences.append(f"These units cost {price}, but only {amount} of the payment is left.")
        shelf = "put back on the shelf" if self.cleaned_data["restock"] else "not put back"
        sentences += [
            f"{units} x {line.title}: {shelf}; {self._whereabouts(line.pk, units)}."
            for line in self.left
            if (units := self.quantities.get(line.pk))
        ]
        if self._is_last():
            sentences.append("Nothing of its money is left: the order becomes refunded.")
        elif self.quantities and self.order.status == Status.PAID and not self._is_any_left():
            sentences.append("Nothing is left to be handed over then: the order is fulfilled.")
        return sentences

    def _waits(self) -> bool:
        return refund_amounts.needs_second_person(
            order=self.order, amount_minor=self.amount_minor, currency=self.currency
        )

    def _whereabouts(self, line_id: int, units: int) -> str:
        out = self.handed_over[line_id]
        if not out:
            return "not to be handed over any more"
        return f"{out} had been handed over, {units - out} not to be handed over any more"

    def _is_any_left(self) -> bool:
        """Tell whether units stay that are to be handed over."""
        going = {pk: units - self.handed_over[pk] for pk, units in self.quantities.items()}
        return any(units > going.get(pk, 0) for pk, units in self.unsent.items())

    def act(self, *, by: int, at: datetime) -> str:
        asked = refund_requests.ask(
            order_id=self.order.pk,
            charge_id=self.cleaned_data["charge"],
            amount_minor=self.amount_minor,
            why=Refund.Why(self.cleaned_data["why"]),
            quantities=self.quantities,
            handed_over=self.handed_over,
            restock=self.cleaned_data["restock"],
            note=self.cleaned_data["note"],
            key=self.cleaned_data["key"],
            by=by,
            at=at,
        )
        return told(asked)


class ManualForm(MoneyDeed):
    """Money that came or went outside of Stripe: cash, a bank transfer."""

    title, verb = "Enter money by hand", "Book it"

    direction = forms.ChoiceField(
        label="The money",
        choices=[("in", "was received"), ("out", "was given back to the buyer")],
        widget=UnfoldAdminRadioSelectWidget,
    )
    amount = forms.DecimalField(
        min_value=0, max_digits=_MOST_DIGITS, widget=UnfoldAdminDecimalFieldWidget
    )
    currency = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    means = forms.ChoiceField(
        label="How",
        choices=LedgerEntry.Means.choices,
        initial=LedgerEntry.Means.TRANSFER,
        widget=UnfoldAdminSelectWidget,
    )
    note = forms.CharField(
        label="What for, in your words",
        max_length=200,
        help_text="Kept as a note on the order, for staff alone.",
        widget=UnfoldAdminTextInputWidget,
    )

    def __init__(self, order: Order, data: Any = None, review: Review | None = None) -> None:
        super().__init__(order, data)
        self.review = review
        codes = dict.fromkeys([order.currency, *sums.booked(order)])
        cast(forms.ChoiceField, self.fields["currency"]).choices = [(code, code) for code in codes]

    def clean(self) -> None:
        if self.errors:
            return
        code = self.cleaned_data["currency"]
        amount_minor = self.minor(self.cleaned_data["amount"], code)
        self.is_received = self.cleaned_data["direction"] == "in"
        self.entry = manual.Entry(
            amount_minor=amount_minor if self.is_received else -amount_minor,
            currency=code,
            form_key=self.cleaned_data["key"],
            means=LedgerEntry.Means(self.cleaned_data["means"]),
            note=self.cleaned_data["note"],
            review_id=self.review.pk if self.review else None,
        )
        try:
            manual.check(self.order, self.entry)
        except manual.CannotBook as error:
            raise ValidationError(str(error)) from error

    def consequences(self) -> list[str]:
        amount = format_any(abs(self.entry.amount_minor), self.entry.currency)
        verb = "received" if self.is_received else "given back"
        return [
            f"{amount} is booked as {verb} outside of Stripe. Stripe itself moves nothing.",
            *self._what_follows(),
            "The books are never changed: an error is mended by an entry the other way.",
        ]

    def _what_follows(self) -> list[str]:
        is_closed = "What the buyer could still pay at Stripe is closed first."
        if self.review:
            becomes = "paid" if self.is_received else "canceled"
            is_waiting = self.order.is_pending or self.order.is_canceled
            moves = [f"If it was the last one, the order is {becomes} then."] if is_waiting else []
            return [is_closed, "The review is settled by it.", *moves]
        if self.order.is_pending:
            return [is_closed, "The order becomes paid, and the buyer gets its confirmation."]
        left = sums.booked(self.order)
        left[self.entry.currency] += self.entry.amount_minor
        if self.order.is_paid and not sums.is_any(left):
            return ["Nothing of its money is left: the order becomes refunded."]
        if self.order.status == Status.REFUNDED:
            return ["The order is again what it was before."]
        return ["The order stays as it is."]

    def act(self, *, by: int, at: datetime) -> str:
        entry = manual.book(order_id=self.order.pk, entry=self.entry, by=by, at=at)
        return f"{format_any(entry.amount_minor, entry.currency)} is booked."
