"""Forms by which staff edit the catalog and move stock."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from django.conf import settings
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextInputWidget,
)

from shop.categories import CategoryTree
from shop.models import Category, Product, Variant
from shop.money import currency

_PRICE_DIGITS = 10
_MOST_UNITS = 100_000
_VARIANT_FIELDS = ("sku", "title", "position", "is_active")


class CategoryForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Category
        fields = ("name", "slug", "parent", "position")

    def clean_parent(self) -> Category | None:
        parent: Category | None = self.cleaned_data["parent"]
        if self.instance.pk and parent in CategoryTree.load().below(self.instance):
            raise forms.ValidationError("A category cannot stand below itself.")
        return parent


class ProductForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Product
        fields = ("title", "slug", "category", "is_published", "description", "attributes")

    def clean_attributes(self) -> dict[str, str]:
        attributes = self.cleaned_data["attributes"] or {}
        if not isinstance(attributes, dict) or not all(
            isinstance(value, str) for value in attributes.values()
        ):
            raise forms.ValidationError(
                'Enter names with texts, such as {"Author": "Jane Austen"}.'
            )
        return attributes


class VariantForm(forms.ModelForm):  # type: ignore[type-arg]
    """A variant with its price as people write it; a new one is in the shop's currency."""

    price = forms.DecimalField()

    class Meta:
        model = Variant
        fields = _VARIANT_FIELDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance.pk:
            self.instance.currency = settings.SHOP_CURRENCY
        self._exponent = currency(self.instance.currency).exponent
        self.fields["price"] = forms.DecimalField(
            min_value=0,
            max_digits=_PRICE_DIGITS,
            decimal_places=self._exponent,
            widget=UnfoldAdminDecimalFieldWidget,
        )
        if self.instance.pk:
            self.initial["price"] = Decimal(self.instance.price_minor).scaleb(-self._exponent)

    def clean(self) -> dict[str, Any] | None:
        # The field lets no more decimals through than the currency has: nothing is rounded here.
        if "price" in self.cleaned_data:
            self.instance.price_minor = int(self.cleaned_data["price"].scaleb(self._exponent))
        return super().clean()

    def save(self, commit: bool = True) -> Variant:
        variant: Variant = self.instance
        if commit and variant.pk:
            # The counters were read before the form was filled in: they must not be written back.
            variant.save(update_fields=[*_VARIANT_FIELDS, "price_minor"])
        else:
            super().save(commit)
        return variant


class _StockForm(BaseDialogForm):  # type: ignore[misc]  # Unfold has no types
    """A form that carries a key, so that sent twice it moves stock once."""

    form_key = forms.UUIDField(initial=uuid4, widget=forms.HiddenInput)


class ReceiveForm(_StockForm):
    quantity = forms.IntegerField(
        label="Units", min_value=1, max_value=_MOST_UNITS, widget=UnfoldAdminIntegerFieldWidget
    )
    reference = forms.CharField(
        label="Delivery or reason", max_length=200, widget=UnfoldAdminTextInputWidget
    )


class AdjustForm(_StockForm):
    difference = forms.IntegerField(
        min_value=-_MOST_UNITS,
        max_value=_MOST_UNITS,
        help_text="Units to add, or, below zero, to take off.",
        widget=UnfoldAdminIntegerFieldWidget,
    )
    reason = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget)

    def clean_difference(self) -> int:
        difference: int = self.cleaned_data["difference"]
        if not difference:
            raise forms.ValidationError("Enter a difference other than 0.")
        return difference
