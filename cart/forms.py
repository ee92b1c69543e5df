"""What a visitor may type about quantities."""

from django import forms
from django.conf import settings


def _units(least: int) -> forms.IntegerField:
    """Return a field for units of one variant, from `least` to the limit of a line."""
    return forms.IntegerField(
        min_value=least,
        max_value=settings.CART_LINE_LIMIT,
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "class": "quantity"}),
        error_messages={
            "required": "Enter how many you want.",
            "min_value": "Enter a whole number, %(limit_value)s or more.",
            "max_value": "Enter %(limit_value)s or fewer: a cart holds no more of one edition.",
        },
    )


class AddForm(forms.Form):
    """Units to put into the cart; the view looks the variant up."""

    variant = forms.IntegerField(widget=forms.HiddenInput)
    quantity = _units(least=1)


class QuantityForm(forms.Form):
    """The units that a line shall hold; none takes the line out."""

    quantity = _units(least=0)
