"""Money in templates."""

from django import template

from shop.money import format_minor

register = template.Library()


@register.filter
def money(amount_minor: int, currency: str) -> str:
    """Return minor units of `currency` as people write them: `{{ 499|money:"EUR" }}` is €4.99."""
    return format_minor(amount_minor, currency)
