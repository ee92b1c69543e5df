"""The payment form of the hosted page."""

import re
from datetime import UTC, datetime
from typing import Any

from django import forms

from stripe_sandbox import cards
from stripe_sandbox.payments import Payer

_METHODS = [("card", "Card"), ("bank_debit", "Bank debit")]
_CHOOSE = "Choose how to pay."
_STRIPES_NAME = {"card": cards.CARD, "bank_debit": cards.BANK_DEBIT}


def _field(autocomplete: str, **attributes: str) -> forms.TextInput:
    return forms.TextInput(attrs={"autocomplete": autocomplete, **attributes})


class PaymentForm(forms.Form):
    """E-mail, and a card or a bank debit; a card's own fields are checked only when it pays."""

    email = forms.EmailField(
        label="Email",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        error_messages={"required": "Enter your email address."},
    )
    card = forms.CharField(
        label="Card number",
        required=False,
        max_length=30,
        widget=_field(
            "cc-number",
            inputmode="numeric",
            placeholder="4242 4242 4242 4242",
            pattern=r"4[0-9 \-]*",
        ),
    )
    expiry = forms.CharField(
        label="Expiry",
        required=False,
        max_length=9,
        widget=_field("cc-exp", inputmode="numeric", placeholder="MM / YY"),
    )
    cvc = forms.CharField(
        label="CVC",
        required=False,
        max_length=4,
        widget=_field("cc-csc", inputmode="numeric", placeholder="123"),
    )
    name = forms.CharField(
        label="Name on card or account",
        max_length=100,
        widget=_field("cc-name"),
        error_messages={"required": "Enter the name on the card or account."},
    )

    def __init__(self, *args: Any, methods: list[str], at: int, **kwargs: Any) -> None:
        """`methods` are Stripe's names of what the session offers; `at` is the moment."""
        super().__init__(*args, **kwargs)
        self._today = datetime.fromtimestamp(at, UTC)
        offered = [(name, label) for name, label in _METHODS if _STRIPES_NAME[name] in methods]
        self.fields["method"] = forms.ChoiceField(
            label="Payment method",
            choices=offered,
            error_messages={"required": _CHOOSE, "invalid_choice": _CHOOSE},
        )
        self.initial.setdefault("method", offered[0][0])
        for name, field in self.fields.items():
            field.widget.attrs["aria-describedby"] = f"id_{name}_error"

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = self.cleaned_data
        if cleaned.get("method") == "card":
            self._check_card(re.sub(r"[\s-]", "", cleaned.get("card", "")))
            self._check_expiry(cleaned.get("expiry", ""))
            if not re.fullmatch(r"[0-9]{3,4}", cleaned.get("cvc", "")):
                self.add_error("cvc", "Enter the 3 or 4 digits of the security code.")
        return cleaned

    def _check_card(self, number: str) -> None:
        if number not in cards.KNOWN_CARDS:
            self.add_error("card", "Your card number is incorrect. Use one of the test cards.")
        self.cleaned_data["number"] = number

    def _check_expiry(self, said: str) -> None:
        match = re.fullmatch(r"\s*(0?[1-9]|1[0-2])\s*[/ -]\s*(?:20)?([0-9]{2})\s*", said)
        if not match:
            self.add_error("expiry", "Enter the expiry date as month and year, like 12 / 34.")
            return
        month, year = int(match[1]), 2000 + int(match[2])
        if (year, month) < (self._today.year, self._today.month):
            self.add_error("expiry", "Your card's expiry date is in the past.")
        self.cleaned_data |= {"exp_month": month, "exp_year": year}

    def point_at_first_error(self) -> None:
        """Let the browser go to the first field that is wrong; the page has no script to do so."""
        for field in (field for name, field in self.fields.items() if name in self.errors):
            field.widget.attrs["autofocus"] = True
            return

    def instrument(self) -> cards.Instrument:
        data = self.cleaned_data
        if data["method"] == "bank_debit":
            return cards.Instrument(cards.BANK_DEBIT)
        return cards.Instrument(
            cards.CARD,
            data["number"],
            exp_month=data["exp_month"],
            exp_year=data["exp_year"],
        )

    def payer(self) -> Payer:
        return Payer(self.cleaned_data["email"], self.cleaned_data["name"])
