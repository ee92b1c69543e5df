"""Addresses that stand for nobody: of people whose data were erased."""

from uuid import UUID

# Never anybody's. Source: https://datatracker.ietf.org/doc/html/rfc2606#section-2
_DOMAIN = "@erased.invalid"


def address_of(key: UUID) -> str:
    """Return the address that takes the place of a person's own; `key` is his alone."""
    return f"erased-{key}{_DOMAIN}"


def is_erased(email: str) -> bool:
    """Tell whether an address is of somebody who was erased."""
    return email.endswith(_DOMAIN)
