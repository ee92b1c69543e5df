"""Every request of the API as an HTTP file, made of its document.

They are sent from an editor (VS Code's REST Client, JetBrains' HTTP Client, httpYac).
"""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from config.api_examples import SAMPLES

DOCUMENT = Path(__file__).resolve().parent.parent / "docs/openapi.json"
REQUESTS = DOCUMENT.with_name("api.http")
# Where the published document says that the shop is.
SITE = "https://shop.example"
_HEAD = """\
# Every request of the API; written by `make api-client` from openapi.json.
# Fill in the tokens that sign-in, the cart and an order answer with.
@shop = http://127.0.0.1:8000
@access_token =
@cart_token =
@order_token =
"""
_TOKENS = {
    "AccessToken": "Authorization: Bearer {{access_token}}",
    "CartToken": "Cart-Token: {{cart_token}}",
    "OrderToken": "Order-Token: {{order_token}}",
}
_SAMPLES = {"q": "emma", "search": "reader", "event_id": "evt_1", "public_id": "user", "page": 1}


def requests(document: dict[str, Any]) -> str:
    """Return the HTTP file of a document, whole."""
    parts = [_HEAD]
    for path, methods in document["paths"].items():
        parts += [_request(path, name, each, document) for name, each in methods.items()]
    return "\n".join(parts)


def _request(path: str, method: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    query, keys = {}, []
    for parameter in operation.get("parameters", ()):
        sample = _sample(parameter["name"])
        match parameter["in"]:
            case "path":
                path = path.replace("{" + parameter["name"] + "}", quote(str(sample)))
            case "query" if parameter["name"] in _SAMPLES:
                query[parameter["name"]] = sample
            case "header":
                keys.append(f"{parameter['name']}: {{{{$guid}}}}")
    schemes = [name for way in operation.get("security", ()) for name in way]
    headers = keys + [_TOKENS[name] for name in schemes if name in _TOKENS]
    lines = [f"### {operation['operationId']}: {operation['summary']}"]
    address = path + (f"?{urlencode(query)}" if query else "")
    lines += [f"{method.upper()} {{{{shop}}}}{address}", *headers]
    content = operation.get("requestBody", {}).get("content", {})
    if examples := content.get("application/json", {}).get("examples"):
        (reference,) = examples.values()
        name = reference["$ref"].rpartition("/")[2]
        example = document["components"]["examples"][name]["value"]
        body = json.dumps(example, indent=2, ensure_ascii=False)
        lines += ["Content-Type: application/json", "", body]
    elif content:
        lines += [
            "Content-Type: multipart/form-data; boundary=part",
            "",
            "--part",
            'Content-Disposition: form-data; name="image"; filename="cover.webp"',
            "",
            "< ./images/home.webp",
            "--part--",
        ]
    return "\n".join(lines) + "\n"


def _sample(name: str) -> Any:
    return _SAMPLES.get(name) or SAMPLES.get(name) or name
