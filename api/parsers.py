"""How bodies are read."""

import re
from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

_SURROGATE = re.compile(r"[\ud800-\udfff]")


class Json(JSONParser):
    """DRF's, for which what is nested too deeply, or cannot be kept as text, is malformed too."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            parsed = super().parse(*args, **kwargs)
            _require_text(parsed)
            return parsed
        except RecursionError as error:
            raise ParseError("This is nested too deeply.") from error


def _require_text(value: Any) -> None:
    """Raise ParseError for NUL, which PostgreSQL cannot hold, and for half of a surrogate pair."""
    match value:
        case str():
            if "\0" in value or _SURROGATE.search(value):
                raise ParseError("Text holds neither NUL nor half of a surrogate pair.")
        case list():
            for item in value:
                _require_text(item)
        case dict():
            for name, item in value.items():
                _require_text(name)
                _require_text(item)
