"""The last resort against secrets and personal data in the log: what looks like one is masked.

Nothing of the kind should be logged in the first place. But texts of others reach the log too, such
as PostgreSQL's on a row that breaks a rule, and they quote what they were given.
"""

import re
from functools import cache
from typing import Any

MASK = "***"
_DEEPEST = 4
_SHORTEST_SIGNATURE = 43

# Strangers choose some of what is searched: no pattern may start again at each of its characters
# and then run on without a bound.
_LOOKS_SECRET = re.compile(
    "|".join(
        [
            # Stripe's keys, webhook secrets and client secrets.
            r"(?:sk|rk|pk)_(?:live|test|org)_\w+",
            r"whsec_\w+",
            r"_secret_\w+",
            # JSON Web Tokens, and credentials as HTTP sends them.
            r"eyJ[\w-]{1,2000}\.[\w-]{1,2000}\.[\w-]*",
            r"(?i:bearer|basic)\s+[\w.~+/=-]{8,}",
            # User and password in an address.
            r"(?<=://)[^\s/@]+@",
            # E-mail addresses, in a URL too.
            r"[^\s@<>()\[\]{},;:\"'=/\\%]{1,64}(?:@|%40)[\w-]+(?:\.[\w-]+)*",
            # What Django's signers append: 43 characters of base64. Stripe's long ids are none.
            r"(?<![\w-])(?!cs_)(?=[\w-]*[A-Z])[\w-]{43,}",
            # Password reset links.
            r"(?<![0-9a-z-])(?:[0-9a-z]{1,13}-){1,3}[0-9a-f]{32}(?![\w-])",
            # Card numbers, also behind the letter of an escaped line break.
            r"(?:(?<![\w-])|(?<=\\[nrt]))\d(?:[ -]?\d){12,18}(?![\w-])",
            # PostgreSQL quotes the whole row that it refuses, over several lines if need be.
            r"(?<=DETAIL:  )[\s\S]*?(?=\n(?:CONTEXT|HINT):|\n\n|\Z)",
        ]
    )
)
# An order's link opens it. Its signature goes even where it was cut or mistyped.
_ORDER_LINK = re.compile(r"(/orders/[\w-]+/)[\w-]{16,}")
_NAMES_SECRET = re.compile(
    r"password|secret|token|authorization|cookie|signature|api_?key|session_?key"
    r"|e_?mail|address|phone|card|cvc|body|payload",
    re.IGNORECASE,
)


def masked_text(text: str) -> str:
    """Return `text` with a mask in the place of whatever looks like a secret or a person's data."""
    if text.isalnum() and not text.isdigit() and len(text) < _SHORTEST_SIGNATURE:
        # A word or an id, as most fields are: what is looked for is longer or has other characters.
        return text
    return _LOOKS_SECRET.sub(MASK, _ORDER_LINK.sub(rf"\1{MASK}", text))


def masked(value: Any, depth: int = 0) -> Any:
    """Return `value` as JSON can hold it, masked, and down to a depth that a log line needs."""
    match value:
        case str():
            return masked_text(value)
        case None | bool() | int() | float():
            return value
        case dict() if depth < _DEEPEST:
            return masked_fields(value, depth + 1)
        case list() | tuple() | set() if depth < _DEEPEST:
            return [masked(item, depth + 1) for item in value]
        case _:
            return masked_text(repr(value))


def masked_fields(fields: dict[Any, Any], depth: int = 0) -> dict[str, Any]:
    """Return `fields` masked: all of it where the name speaks of a secret."""
    return {
        masked_text(str(name)): MASK if _is_secret(str(name)) else masked(value, depth)
        for name, value in fields.items()
    }


@cache
def _is_secret(name: str) -> bool:
    return _NAMES_SECRET.search(name) is not None
