"""Countries by their ISO 3166 codes."""

from babel import Locale

_NAMES = Locale("en").territories


def name_of(code: str) -> str:
    """Return a country's English name; a code that has none stands for itself."""
    return str(_NAMES.get(code, code))
