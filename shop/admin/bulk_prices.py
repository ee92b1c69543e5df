"""Many prices changed at once, by a rule, after a look at each."""

import hashlib
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
)

from shop import prices
from shop.admin.two_steps import ManyRowsForm, Refused, in_two_steps, page_context
from shop.admin_forms import MOST_MINOR, price_field, to_minor
from shop.categories import CategoryTree
from shop.clock import now
from shop.models import Category, Variant
from shop.money import format_minor
from shop.prices import NewPrice
from shop.repricing import Rounding, Rule, roundings

MOST = 2_000
_NAMED = 5


class BulkPriceForm(ManyRowsForm):
    """A rule for the prices of the variants that were chosen, or of a category's.

    Prices in other currencies than the shop's stay as they are, and so do those in the archive.
    """

    headers = ("SKU", "title", "before", "after")

    variants = forms.RegexField(r"^\d{1,18}(,\d{1,18})*$", required=False, widget=forms.HiddenInput)
    category = forms.ModelChoiceField(
        Category.objects.all(),
        required=False,
        empty_label="The whole shop",
        help_text="With all categories below it.",
        widget=UnfoldAdminSelectWidget,
    )
    by = forms.ChoiceField(
        label="Change by",
        choices=[("percent", "percent"), ("amount", "an amount")],
        initial="percent",
        widget=UnfoldAdminRadioSelectWidget,
    )
    figure = forms.DecimalField(
        label="How much",
        max_digits=10,
        decimal_places=2,
        help_text="Below zero it gets cheaper: -10.",
        widget=UnfoldAdminDecimalFieldWidget,
    )
    rounding = forms.ChoiceField(initial=Rounding.NONE, widget=UnfoldAdminSelectWidget)

    def __init__(self, data: Any = None, chosen: list[int] | None = None) -> None:
        super().__init__(data, initial={"variants": ",".join(map(str, chosen or []))})
        self._code = settings.SHOP_CURRENCY
        choices = [(rounding.value, rounding.label) for rounding in roundings(self._code)]
        cast(forms.ChoiceField, self.fields["rounding"]).choices = choices
        if self["variants"].value():
            del self.fields["category"]
            count = self["variants"].value().count(",") + 1
            self.fields["figure"].label = f"How much (variants chosen: {count})"

    def clean_figure(self) -> Decimal:
        figure: Decimal = self.cleaned_data["figure"]
        if not figure:
            raise ValidationError("Enter a figure other than 0.")
        if self.cleaned_data.get("by") == "amount":
            # It has no more decimals than a price.
            price_field(self._code).clean(str(abs(figure)))
        return figure

    def clean(self) -> None:
        if self.errors:
            return
        by_percent = self.cleaned_data["by"] == "percent"
        figure: Decimal = self.cleaned_data["figure"]
        self.rule = Rule(
            percent=figure if by_percent else Decimal(0),
            amount_minor=0 if by_percent else to_minor(figure, self._code),
            rounding=Rounding(self.cleaned_data["rounding"]),
        )
        chosen = list(self._chosen()[: MOST + 1])
        if len(chosen) > MOST:
            raise ValidationError(f"These are more than {MOST:,} prices: choose fewer at a time.")
        self.changes = [
            (variant, after)
            for variant in chosen
            if (after := self.rule.new_minor(variant.price_minor, self._code))
            != variant.price_minor
        ]
        if not self.changes:
            raise ValidationError("No price would change by that.")
        self._refuse("nothing or less", [v.sku for v, after in self.changes if after <= 0])
        self._refuse(
            "more than a price can be", [v.sku for v, after in self.changes if after > MOST_MINOR]
        )

    def _refuse(self, what: str, skus: list[str]) -> None:
        if skus:
            named = ", ".join(skus[:_NAMED])
            more = f" and {len(skus) - _NAMED} more" if len(skus) > _NAMED else ""
            raise ValidationError(f"These would cost {what}: {named}{more}.")

    def _chosen(self) -> QuerySet[Variant]:
        variants = Variant.objects.filter(
            currency=self._code, product__archived_at__isnull=True
        ).order_by("sku")
        variants = variants.select_related("product").defer(
            "product__search", "product__description"
        )
        if ids := self.cleaned_data["variants"]:
            return variants.filter(pk__in=ids.split(","))
        if category := self.cleaned_data["category"]:
            return variants.filter(product__category__in=CategoryTree.load().below(category))
        return variants

    def rows(self) -> list[list[Any]]:
        return [
            [
                variant.sku,
                f"{variant.product.title}, {variant.title}",
                format_minor(variant.price_minor, self._code),
                format_minor(after, self._code),
            ]
            for variant, after in self.changes
        ]

    def summary(self) -> str:
        return f"Prices that change: {len(self.changes)}, by {self.rule.in_words(self._code)}."

    def shown(self) -> str:
        told = ";".join(f"{v.pk}:{v.price_minor}:{after}" for v, after in self.changes)
        return hashlib.sha256(told.encode()).hexdigest()

    def act(self, *, by: int, at: datetime) -> str:
        new = [NewPrice(variant.pk, variant.price_minor, after) for variant, after in self.changes]
        why = f"many at once: {self.rule.in_words(self._code)}"
        try:
            changed = prices.change_prices(prices=new, why=why, by_user_id=by, at=at)
        except (prices.PriceMoved, Variant.DoesNotExist) as error:
            raise Refused("Prices were changed meanwhile. Nothing was done: try again.") from error
        return f"Prices changed: {changed}."


def change_prices(
    model_admin: ModelAdmin, request: HttpRequest, chosen: QuerySet[Variant] | None = None
) -> HttpResponse:
    """Show the form, for what was chosen in a list or for a category, and act by it."""
    if chosen is None:
        form = BulkPriceForm(request.POST or None)
    else:
        form = BulkPriceForm(
            chosen=list(chosen.order_by().values_list("pk", flat=True)[: MOST + 1])
        )
    context = page_context(model_admin, request, "Change prices") | {
        "verb": "Change these prices",
        "action": reverse("admin:shop_variant_change_prices"),
    }
    back = reverse("admin:shop_variant_changelist")
    return in_two_steps(request, context, form, back, at=now())
