"""What a buyer fills in to order, and to find an order."""

from django import forms
from django.conf import settings

from cart.quotes import read_fingerprint
from orders.countries import name_of

_EMAIL_ERRORS = {
    "required": "Enter your e-mail address.",
    "invalid": "Enter an e-mail address like reader@example.com.",
}


def country_choices() -> list[tuple[str, str]]:
    """Return the countries that the shop ships to, by name; of several none is chosen yet."""
    named = [(code, name_of(code)) for code in settings.SHOP_COUNTRIES]
    unchosen = [("", "Choose a country")] if len(named) > 1 else []
    return unchosen + sorted(named, key=lambda choice: choice[1])


def _text(
    label: str, autocomplete: str, *, missing: str = "", max_length: int = 100
) -> forms.CharField:
    """Return a field for a line of text; it may be left empty unless `missing` says what is."""
    return forms.CharField(
        label=label,
        max_length=max_length,
        required=bool(missing),
        widget=forms.TextInput(attrs={"autocomplete": autocomplete}),
        error_messages={"required": missing},
    )


class AddressForm(forms.Form):
    """Where an order goes."""

    name = _text("Full name", "name", missing="Enter the recipient's full name.")
    line1 = _text("Street and number", "address-line1", missing="Enter a street and a number.")
    line2 = _text("Apartment, floor, company", "address-line2")
    postal_code = _text(
        "Postal code", "postal-code", missing="Enter the postal code.", max_length=20
    )
    city = _text("City", "address-level2", missing="Enter the city.")
    region = _text("State or region", "address-level1")
    country = forms.ChoiceField(
        label="Country",
        choices=country_choices,
        widget=forms.Select(attrs={"autocomplete": "country"}),
        error_messages={
            "required": "Choose a country.",
            "invalid_choice": "We do not ship there: choose one of the countries in the list.",
        },
    )

    def address(self) -> dict[str, str]:
        """Return the cleaned address, as it is frozen on the order."""
        return {name: self.cleaned_data[name] for name in AddressForm.base_fields}


class CheckoutForm(AddressForm):
    """Where an order goes, and the signed fingerprint of the figures that were shown."""

    email = forms.EmailField(
        label="E-mail address",
        max_length=254,
        help_text="For the confirmation, and to find your order again.",
        widget=forms.EmailInput(attrs={"autocomplete": "email", "spellcheck": "false"}),
        error_messages=_EMAIL_ERRORS,
    )
    fingerprint = forms.CharField(widget=forms.HiddenInput, max_length=200)
    field_order = ("email",)

    def clean_fingerprint(self) -> str:
        return read_fingerprint(self.cleaned_data["fingerprint"])


class FindOrderForm(forms.Form):
    """An order's number and the e-mail address it was placed with."""

    number = forms.CharField(
        label="Order number",
        max_length=20,
        help_text="Ten letters and digits, in your confirmation mail or on the order's page.",
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "autocapitalize": "characters",
                "spellcheck": "false",
            }
        ),
        error_messages={"required": "Enter the number of your order."},
    )
    email = forms.EmailField(
        label="E-mail address",
        help_text="The one that you ordered with.",
        widget=forms.EmailInput(attrs={"autocomplete": "email", "spellcheck": "false"}),
        error_messages=_EMAIL_ERRORS,
    )

    def clean_number(self) -> str:
        return normalized_number(self.cleaned_data["number"])


def normalized_number(typed: str) -> str:
    """Return an order's number as we write it, however somebody copied it."""
    return "".join(typed.upper().split()).replace("-", "")
