"""Countries in templates."""

from django import template

from orders import countries

register = template.Library()


@register.filter
def country_name(code: str) -> str:
    """Return a country's name: `{{ "DE"|country_name }}` is Germany."""
    return countries.name_of(code)
