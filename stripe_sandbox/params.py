"""Reading Stripe's form-encoded parameters: brackets, types, and the errors for what is wrong.

A rule takes a parameter's full name, as Stripe spells it in errors, and its raw value (text or
dict), and returns the typed value or raises ApiError.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from stripe_sandbox.errors import invalid, missing

Raw = Any  # str, or dict of Raw
Rule = Callable[[str, Raw], Any]

_METADATA_KEYS, _METADATA_KEY_LENGTH, _METADATA_VALUE_LENGTH = 50, 40, 500
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def decode(pairs: Iterable[tuple[str, str]]) -> dict[str, Raw]:
    """Return nested dicts of pairs like ("line_items[0][price]", "x") or ("types[]", "y").

    A list is a dict with numbers for keys until a rule says that a list is meant.
    """
    tree: dict[str, Raw] = {}
    for name, value in pairs:
        path = re.findall(r"[^\[\]]+|\[\]", name)
        if not path:
            raise invalid(f"Received unknown parameter: {name}", name, "parameter_unknown")
        node = tree
        for part in path[:-1]:
            node = node.setdefault(_step(part, node), {})
            if not isinstance(node, dict):
                raise invalid(f"Invalid parameter: {name}", name)
        node[_step(path[-1], node)] = value
    return tree


def _step(part: str, node: dict[str, Raw]) -> str:
    return str(len(node)) if part == "[]" else part


def text(name: str, raw: Raw) -> str:
    return _text(name, raw, 5000)


def short_text(maximum: int) -> Rule:
    return lambda name, raw: _text(name, raw, maximum)


def _text(name: str, raw: Raw, maximum: int) -> str:
    if not isinstance(raw, str):
        raise invalid(f"Invalid string: {raw!r}", name)
    if raw == "":
        message = (
            f"You passed an empty string for '{name}'. We assume empty values are an attempt to"
            f" unset a parameter; however '{name}' cannot be unset. You should remove '{name}'"
            " from your request or supply a non-empty value."
        )
        raise invalid(message, name, "parameter_invalid_empty")
    if len(raw) > maximum:
        message = f"Invalid string: {raw[:10]}...; must be at most {maximum} characters"
        raise invalid(message, name)
    return raw


def integer(minimum: int | None = None, maximum: int | None = None) -> Rule:
    def rule(name: str, raw: Raw) -> int:
        value = text(name, raw)
        if not re.fullmatch(r"-?[0-9]{1,18}", value):
            raise invalid(f"Invalid integer: {value}", name, "parameter_invalid_integer")
        number = int(value)
        if minimum is not None and number < minimum:
            message = f"This value must be greater than or equal to {minimum}."
            raise invalid(message, name, "parameter_invalid_integer")
        if maximum is not None and number > maximum:
            message = f"This value must be less than or equal to {maximum}."
            raise invalid(message, name, "parameter_invalid_integer")
        return number

    return rule


def boolean(name: str, raw: Raw) -> bool:
    value = text(name, raw)
    if value not in ("true", "false"):
        raise invalid(f"Invalid boolean: {value}", name)
    return value == "true"


def choice(*allowed: str) -> Rule:
    def rule(name: str, raw: Raw) -> str:
        value = text(name, raw)
        if value not in allowed:
            raise invalid(f"Invalid {name}: must be one of {', '.join(allowed)}", name)
        return value

    return rule


def url(name: str, raw: Raw) -> str:
    value = text(name, raw)
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise invalid("Not a valid URL", name, "url_invalid")
    return value


def email(name: str, raw: Raw) -> str:
    value = _text(name, raw, 512)
    if not _EMAIL.fullmatch(value):
        raise invalid(f"Invalid email address: {value}", name, "email_invalid")
    return value


def clearable(rule: Rule) -> Rule:
    """Take an empty value as the wish to have none, as Stripe's updates do."""
    return lambda name, raw: None if raw == "" else rule(name, raw)


def metadata_changes(name: str, raw: Raw) -> dict[str, str | None] | None:
    """Return what `changed_metadata` takes: a key's empty value takes it away, None takes all."""
    if raw == "":
        return None
    if not isinstance(raw, dict):
        raise invalid("Invalid metadata: metadata must be a set of key-value pairs", name)
    kept = metadata(name, {key: value for key, value in raw.items() if value != ""})
    return {key: kept.get(key) for key in raw}


def changed_metadata(
    before: dict[str, str], changes: dict[str, str | None] | None
) -> dict[str, str]:
    if changes is None:
        return {}
    return {key: value for key, value in (before | changes).items() if value is not None}


def metadata(name: str, raw: Raw) -> dict[str, str]:
    if raw == "":
        return {}
    if not isinstance(raw, dict):
        raise invalid("Invalid metadata: metadata must be a set of key-value pairs", name)
    if len(raw) > _METADATA_KEYS:
        raise invalid(f"Metadata can have up to {_METADATA_KEYS} keys", name)
    for key, value in raw.items():
        if len(key) > _METADATA_KEY_LENGTH:
            message = f"Metadata keys can have up to {_METADATA_KEY_LENGTH} characters"
            raise invalid(message, f"{name}[{key}]")
        _text(f"{name}[{key}]", value, _METADATA_VALUE_LENGTH)
    return dict(raw)


def anything(_name: str, raw: Raw) -> Raw:
    return raw


def items(rule: Rule, maximum: int = 100) -> Rule:
    def read(name: str, raw: Raw) -> list[Any]:
        if not (isinstance(raw, dict) and all(key.isdecimal() for key in raw)):
            raise invalid("Invalid array", name)
        if len(raw) > maximum:
            raise invalid(f"Too many elements: at most {maximum}", name)
        return [rule(f"{name}[{place}]", raw[place]) for place in sorted(raw, key=int)]

    return read


def fields(rules: dict[str, Rule], required: Sequence[str] = ()) -> Rule:
    """Read an object with these parameters and no other."""

    def read(name: str, raw: Raw) -> dict[str, Any]:
        if not isinstance(raw, dict):
            raise invalid("Invalid object", name)

        def full(field: str) -> str:
            return f"{name}[{field}]" if name else field

        for field in raw:
            if field not in rules:
                message = f"Received unknown parameter: {full(field)}"
                raise invalid(message, full(field), "parameter_unknown")
        for field in required:
            if field not in raw:
                raise missing(full(field))
        return {field: rules[field](full(field), value) for field, value in raw.items()}

    return read


def not_here(reason: str) -> Rule:
    """Refuse what Stripe takes and the sandbox does not play; silence would be a lie."""

    def rule(name: str, _raw: Raw) -> Any:
        raise invalid(f"The sandbox cannot do '{name}': {reason}", name)

    return rule


def only(allowed: Any, rule: Rule) -> Rule:
    """Take the parameter as far as it asks for nothing but the one thing the sandbox does."""

    def read(name: str, raw: Raw) -> Any:
        value = rule(name, raw)
        if value != allowed:
            raise invalid(f"The sandbox cannot do '{name}' with this value", name)
        return value

    return read


address = fields(dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"), text))
_expand = items(text)
_DEEPEST = 4


def split_expand(raw: dict[str, Raw]) -> tuple[dict[str, Raw], list[str]]:
    """Return the parameters without `expand`, and the paths to expand."""
    rest = dict(raw)
    paths: list[str] = _expand("expand", rest.pop("expand", {}))
    for path in paths:
        if path.count(".") >= _DEEPEST:
            message = f"You cannot expand more than {_DEEPEST} levels of a property ({path})."
            raise invalid(message, "expand")
    return rest, paths
