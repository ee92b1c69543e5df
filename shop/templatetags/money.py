"""Money in templates."""

from django import template

from shop.money import format_any, format_minor

register = template.Library()


@register.filter
def money(amount_minor: int, currency: str) -> str:
    """Return minor units of `currency` as people write them: `{{ 499|money:"EUR" }}` is €4.99."""
    return format_minor(amount_minor, currency)


@register.filter
def any_money(amount_minor: int, currency: str) -> str:
    """Return minor units as `money` does, or, of a currency the shop does not know, as stored."""
    return format_any(amount_minor, currency)
