"""Forms by which staff edit the catalog and move stock."""

from datetime import datetime
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

from shop import prices
from shop.categories import CategoryTree
from shop.models import Category, Product, Variant
from shop.money import currency, format_minor, to_decimal
from shop.prices import NewPrice

_PRICE_DIGITS = 10
MOST_MINOR = 10**_PRICE_DIGITS - 1
_MOST_UNITS = 100_000
_VARIANT_FIELDS = ("sku", "title", "position", "is_active", "low_stock_at")


def price_field(code: str) -> forms.DecimalField:
    """Return a field for a price in the currency: it takes no more decimals than that has."""
    return forms.DecimalField(
        min_value=0,
        max_digits=_PRICE_DIGITS,
        decimal_places=currency(code).exponent,
        widget=UnfoldAdminDecimalFieldWidget,
    )


def to_minor(price: Decimal, code: str) -> int:
    """Return in minor units what a `price_field` took: nothing is rounded."""
    return int(price.scaleb(currency(code).exponent))


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
        fields = (
            "title",
            "slug",
            "category",
            "is_published",
            "publish_at",
            "description",
            "attributes",
        )

    def clean(self) -> dict[str, Any] | None:
        is_published = self.cleaned_data.get("is_published")
        publish_at = self.cleaned_data.get("publish_at")
        if self.instance.archived_at and (is_published or publish_at):
            field = "is_published" if is_published else "publish_at"
            self.add_error(field, "This product is archived. Restore it first.")
        elif is_published and publish_at:
            self.add_error("publish_at", "Publish it now or on this date: take one of the two.")
        return super().clean()

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
    """A variant with its price as people write it; a new one is in the shop's currency.

    Saving leaves the price of an existing variant as it is: `change_price` follows it. The row is
    locked meanwhile. `seen_minor` is the price that the form was filled in with.
    """

    price = forms.DecimalField()
    seen_minor = forms.IntegerField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Variant
        fields = _VARIANT_FIELDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance.pk:
            self.instance.currency = settings.SHOP_CURRENCY
        self.fields["price"] = price_field(self.instance.currency)
        if self.instance.pk:
            price_minor = self.instance.price_minor
            self.initial["price"] = to_decimal(price_minor, self.instance.currency)
            self.initial["seen_minor"] = price_minor

    def has_changed(self) -> bool:
        # Dragging the rows of a product numbers those that are still empty, too.
        only_numbered = not self.instance.pk and self.changed_data == ["position"]
        return super().has_changed() and not only_numbered

    def clean(self) -> dict[str, Any] | None:
        if "price" in self.cleaned_data:
            self._price_minor = to_minor(self.cleaned_data["price"], self.instance.currency)
            if self.instance.pk:
                self._heed_others()
            else:
                self.instance.price_minor = self._price_minor
        return super().clean()

    def _heed_others(self) -> None:
        """Let a price that somebody else has set meanwhile stand, unless it is confirmed."""
        seen_minor, stored_minor = self.cleaned_data.get("seen_minor"), self.instance.price_minor
        if seen_minor in (None, stored_minor):
            return
        if self._price_minor in (seen_minor, stored_minor):
            self._price_minor = stored_minor
            return
        stored = format_minor(stored_minor, self.instance.currency)
        self.add_error(
            "price", f"Meanwhile somebody set this to {stored}. Save again to replace it."
        )
        shown_again: Any = self.data
        shown_again = shown_again.copy()
        shown_again[self.add_prefix("seen_minor")] = stored_minor
        self.data = shown_again

    def save(self, commit: bool = True) -> Variant:
        variant: Variant = self.instance
        if commit and variant.pk:
            # The counters were read before the form was filled in: they must not be written back.
            variant.save(update_fields=_VARIANT_FIELDS)
        else:
            super().save(commit)
        return variant

    def change_price(self, *, why: str, by_user_id: int, at: datetime) -> None:
        """Give the saved variant the price that was typed."""
        variant: Variant = self.instance
        if variant.price_minor == self._price_minor:
            return
        price = NewPrice(variant.pk, variant.price_minor, self._price_minor)
        prices.change_prices(prices=[price], why=why, by_user_id=by_user_id, at=at)
        variant.price_minor = self._price_minor


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
