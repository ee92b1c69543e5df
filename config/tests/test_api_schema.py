"""The OpenAPI document: complete, without a warning, and changed by intent only."""

import json
import re
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator, FormatChecker

from api.problems import Code
from config import api_client, api_examples
from config.tests.api_surface import SURFACE, shape

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    GENERATOR_STATS.reset()
    found: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return found


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what the document says of each operation, by method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }


def test_it_is_valid_and_made_without_a_warning(document: dict[str, Any]) -> None:
    validate_schema(document)

    assert document["openapi"] == "3.1.0"
    assert not GENERATOR_STATS


def test_it_is_the_one_that_was_agreed_to(document: dict[str, Any]) -> None:
    """A change that is meant is written by `make api-client`."""
    served = json.loads(json.dumps(document).replace(settings.SITE_URL, api_client.SITE))
    session = served["components"]["securitySchemes"]["Session"]
    assert session["name"] == settings.SESSION_COOKIE_NAME
    # The one that is published is of a shop behind HTTPS.
    session["name"] = "__Host-sessionid"

    assert json.loads(api_client.DOCUMENT.read_text()) == served
    assert api_client.REQUESTS.read_text() == api_client.requests(served)


def test_every_example_fits_its_shape(document: dict[str, Any]) -> None:
    shapes = document["components"]["schemas"]
    examples = document["components"]["examples"]
    checked = 0
    for name, example in examples.items():
        shape = name if name in shapes else "Problem"
        whole = {"$ref": f"#/components/schemas/{shape}", "components": document["components"]}
        Draft202012Validator(whole, format_checker=FormatChecker()).validate(example["value"])
        checked += name in shapes

    assert checked > 40
    assert checked + len(Code) == len(examples)


def test_a_field_without_a_sample_is_named(document: dict[str, Any]) -> None:
    shape = {"type": "object", "properties": {"smell": {"type": "string"}}}
    path: dict[str, Any] = {"get": {"responses": {"200": {"content": {"application/json": {}}}}}}
    path["get"]["responses"]["200"]["content"]["application/json"] = {
        "schema": {"$ref": "#/components/schemas/Book"}
    }
    made = {"paths": {"/": path}, "components": {"schemas": {"Book": shape}, "examples": {}}}

    with pytest.raises(api_examples.MissingSample, match=r"Book\.smell"):
        api_examples.add(made, None, None, public=True)


def test_it_has_every_endpoint(operations: dict[str, Any]) -> None:
    documented = {shape(operation) for operation in operations}
    rows = {f"{row.method} /api/{shape(row.path)}" for row in SURFACE if row.path != "schema/"}

    assert documented == rows


def test_every_operation_says_what_it_does_takes_and_answers(
    operations: dict[str, dict[str, Any]], document: dict[str, Any]
) -> None:
    names = [operation["operationId"] for operation in operations.values()]
    assert len(set(names)) == len(names)
    for name, operation in operations.items():
        assert 5 < len(operation["summary"]) < 80, name
        assert operation["tags"], name
        statuses = {int(status) for status in operation["responses"]}
        assert {400, 406, 500, 503} <= statuses, name
        assert any(status < 300 for status in statuses), name
        for status, answer in operation["responses"].items():
            for media, body in answer.get("content", {}).items():
                is_problem = int(status) >= 400
                assert media == ("application/problem+json" if is_problem else "application/json")
                assert body["schema"], name
        if "{" in name:
            assert 404 in statuses, name
        if "requestBody" in operation:
            assert {413, 415, 422} <= statuses, name


def test_every_answer_and_every_body_has_an_example(
    operations: dict[str, dict[str, Any]],
) -> None:
    without = [
        f"{name} {status}"
        for name, operation in operations.items()
        for status, answer in operation["responses"].items()
        for body in answer.get("content", {}).values()
        if "examples" not in body
    ]
    without += [
        name
        for name, operation in operations.items()
        for media, body in operation.get("requestBody", {}).get("content", {}).items()
        if "examples" not in body and media != "multipart/form-data"
    ]

    assert without == []


def test_every_link_leads_on_by_what_the_answer_has(
    document: dict[str, Any], operations: dict[str, dict[str, Any]]
) -> None:
    by_name = {each["operationId"]: (path, each) for path, each in operations.items()}
    checked = 0
    for name, operation in operations.items():
        for answer in operation["responses"].values():
            for link in answer.get("links", {}).values():
                path, _target = by_name[link["operationId"]]
                assert set(re.findall(r"{(\w+)}", path)) == set(link["parameters"]), name
                for expression in link["parameters"].values():
                    found = example_of(answer, document)
                    for step in expression.removeprefix("$response.body#/").split("/"):
                        found = found[int(step) if step.isdigit() else step]
                    assert isinstance(found, str), name
                    checked += 1

    assert checked > 50


def example_of(answer: dict[str, Any], document: dict[str, Any]) -> Any:
    (example,) = answer["content"]["application/json"]["examples"].values()
    name = example["$ref"].removeprefix("#/components/examples/")
    return document["components"]["examples"][name]["value"]


def test_every_code_is_said_of_some_operation(operations: dict[str, dict[str, Any]]) -> None:
    said = {
        name
        for operation in operations.values()
        for answer in operation["responses"].values()
        for body in answer.get("content", {}).values()
        for name in body.get("examples", {})
    }
    # What no documented request meets.
    others = {Code.METHOD_NOT_ALLOWED}

    assert {str(code) for code in set(Code) - others} <= said


def test_what_needs_a_key_says_so(operations: dict[str, dict[str, Any]]) -> None:
    keyed = {
        name
        for name, operation in operations.items()
        if any(each["name"] == "Idempotency-Key" for each in operation.get("parameters", ()))
    }

    assert keyed == {
        "POST /api/checkout/",
        "POST /api/orders/",
        "POST /api/orders/{number}/cancel/",
        "POST /api/orders/{number}/checkout-session/",
        "POST /api/orders/{number}/payment-intent/",
        "POST /api/admin/orders/{number}/cancel/",
        "POST /api/admin/orders/{number}/fulfill/",
        "POST /api/admin/orders/{number}/refund/",
        "POST /api/admin/stock-movements/",
    }


def test_who_may_ask_is_said(operations: dict[str, dict[str, Any]]) -> None:
    token: dict[str, list[str]] = {"AccessToken": []}
    session: dict[str, list[str]] = {"Session": []}

    def ways(name: str) -> list[dict[str, list[str]]]:
        found: list[dict[str, list[str]]] = operations[name].get("security", [])
        return found

    assert ways("GET /api/products/") == [{}]
    assert ways("GET /api/cart/") == [{"CartToken": []}, token, session, {}]
    assert ways("GET /api/orders/{number}/") == [{"OrderToken": []}, token, session]
    assert ways("POST /api/auth/logout/") == [token]
    assert ways("POST /api/auth/login/") == [{"CartToken": []}, {}]
    staff = [ways(name) for name in operations if " /api/admin/" in name]
    assert staff == [[token, session]] * len(staff)


def test_it_is_served_whole(document: dict[str, Any], client: Client) -> None:
    answer = client.get("/api/schema/", headers={"Accept": "application/json"})

    assert answer.status_code == 200
    assert answer.json() == json.loads(json.dumps(document))
    assert not answer.cookies


def test_its_pages_load_nothing_from_elsewhere_and_run_nothing_inline(client: Client) -> None:
    page = client.get("/api/docs/").content.decode()

    assert re.findall(r'(?:src|href)="(?!/)', page) == []
    assert "<script>" not in page
    assert "<style" not in page
    assert "style=" not in page
