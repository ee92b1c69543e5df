"""The API's OpenAPI document, from the views themselves: what each says of itself, and its errors.

A method's docstring is its summary, up to the first full stop, and its description. Which errors it
may answer with follows from what it is, but for the codes that it names itself.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from django.conf import settings
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import SAFE_METHODS, AllowAny
from rest_framework.serializers import CharField

from api import idempotency
from api.problems import CONTENT_TYPE, Code
from api.rights import StaffMay
from api.security import SCHEMES

Method = TypeVar("Method", bound=Callable[..., Any])
_REF = "#/components/schemas/Problem"
_EXAMPLES = "#/components/examples/"
_EXAMPLE_ERRORS = [{"field": "email", "code": "required", "message": "This field is required."}]


def operation(
    name: str,
    answers: Mapping[int, Any],
    *,
    takes: Any = None,
    query: Any = None,
    problems: Sequence[Code] = (),
) -> Callable[[Method], Method]:
    """Say of a view's method: its name in the document, what it answers by status, what it takes.

    `query` is the serializer of what stands after the question mark, `problems` are the codes that
    belong to this method alone.
    """
    parameters: list[Any] = [query] if query else []

    def describe(method: Method) -> Method:
        if getattr(method, "is_idempotent", False):
            parameters.append(_KEY)
        described = extend_schema(
            operation_id=name, request=takes, responses=dict(answers), parameters=parameters
        )(method)
        described.problems = tuple(problems)  # type: ignore[attr-defined]
        described.has_query = query is not None  # type: ignore[attr-defined]
        return described

    return describe


_KEY = OpenApiParameter(
    idempotency.HEADER,
    str,
    OpenApiParameter.HEADER,
    required=True,
    pattern=r"^[\x21-\x7e]{1,255}$",
    description="Names this one deed. The same request under the same key is done once, and "
    "answered alike for 24 hours.",
)


class Schema(AutoSchema):
    """Adds to drf-spectacular's what all views of the API have in common."""

    def get_summary(self) -> str:
        return self._words().partition(".")[0]

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular's own
        return " ".join(self._words().partition(".")[2].split())

    def get_tags(self) -> list[str]:
        first, second, *_ = [*self.path.removeprefix("/api/").split("/"), ""]
        return [f"{first}: {second}" if first == "admin" else first]

    def get_auth(self) -> list[dict[str, list[str]]]:
        auth: list[dict[str, list[str]]] = super().get_auth()
        if scheme := getattr(self.view, "guest_scheme", None):
            self.registry.register_on_missing(_security_component(scheme))
            auth.insert(0, {scheme: []})
        return auth

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        found: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if found is not None:
            found["responses"] |= _documented(self._problems()) | _OF_THE_SERVER
        return found

    def _map_serializer_field(self, field: Any, direction: Any, *args: Any, **kwargs: Any) -> Any:
        shape = super()._map_serializer_field(field, direction, *args, **kwargs)  # type: ignore[no-untyped-call]
        is_text = direction == "request" and type(field) is CharField
        # White space around a text is taken off, and something must be left of it.
        if is_text and field.trim_whitespace and not field.allow_blank:
            shape["pattern"] = r"\S"
        return shape

    def _words(self) -> str:
        return (self._method().__doc__ or "").strip()

    def _method(self) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self.view, self.method.lower())
        return method

    def _problems(self) -> Iterable[Code]:
        """Return the codes that the view's method may answer with."""
        method = self._method()
        yield from (Code.UNKNOWN_VERSION, Code.NOT_ACCEPTABLE, Code.INTERNAL, Code.BUSY)
        if self.view.authentication_classes:
            yield Code.BAD_TOKEN
            if not all(each is AllowAny for each in self.view.permission_classes):
                yield Code.NOT_AUTHENTICATED
                yield Code.FORBIDDEN
                if StaffMay in self.view.permission_classes:
                    yield from (Code.SECOND_FACTOR_MISSING, Code.SIGN_IN_AGAIN)
            elif self.method not in SAFE_METHODS:
                yield Code.FORBIDDEN
        is_list = self.method == "GET" and hasattr(self.view, "pagination_class")
        if "{" in self.path or is_list:
            yield Code.NOT_FOUND
        if self.get_request_serializer() is not None and self.method not in SAFE_METHODS:
            yield from (Code.MALFORMED, Code.TOO_LARGE, Code.UNSUPPORTED_TYPE, Code.INVALID)
        if getattr(method, "has_query", False) or is_list:
            yield Code.INVALID
        if self.method not in SAFE_METHODS:
            yield Code.TOO_MANY
        if getattr(method, "is_idempotent", False):
            yield from (Code.KEY_MISSING, Code.KEY_RUNNING, Code.KEY_REUSED)
        yield from getattr(method, "problems", ())


def _security_component(scheme: str) -> Any:
    return ResolvedComponent(
        name=scheme,
        type=ResolvedComponent.SECURITY_SCHEMA,
        object=scheme,
        schema=SCHEMES[scheme],
    )


# gunicorn's own, before the shop hears of the request.
_OF_THE_SERVER: dict[str, Any] = {
    "414": {"description": "The address is too long; not a problem document. 4,000 bytes do."}
}


def _documented(codes: Iterable[Code]) -> dict[str, Any]:
    """Return the answers of an operation that are problems, one per status."""
    by_status: dict[int, list[Code]] = {}
    for code in codes:
        same = by_status.setdefault(code.status, [])
        if code not in same:
            same.append(code)
    return {str(status): _answer(by_status[status]) for status in sorted(by_status)}


def _answer(codes: list[Code]) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": " ".join(f"`{code}`: {code.meaning}" for code in codes),
        "content": {
            CONTENT_TYPE: {
                "schema": {"$ref": _REF},
                "examples": {str(code): {"$ref": f"{_EXAMPLES}{code}"} for code in codes},
            }
        },
    }
    if codes[0].status in {429, 503}:
        answer["headers"] = {
            "Retry-After": {
                "schema": {"type": "integer", "minimum": 1},
                "description": "Seconds after which to ask again.",
            }
        }
    return answer


def _example(code: Code) -> dict[str, Any]:
    example: dict[str, Any] = {
        "type": f"{settings.SITE_URL}/api/problems/#{code}",
        "title": code.meaning,
        "status": code.status,
        "code": str(code),
        "detail": code.meaning,
    }
    if code == Code.INVALID:
        example["errors"] = _EXAMPLE_ERRORS
    return example


def add_problem(result: dict[str, Any], generator: Any, request: Any, public: bool) -> Any:
    """Postprocessing hook: add the shape of problems to the document, and one of each code."""
    result["components"]["schemas"]["Problem"] = _PROBLEM
    result["components"]["examples"] = {
        str(code): {"summary": code.meaning, "value": _example(code)} for code in Code
    }
    return result


_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "What went wrong: problem details as of RFC 9457. Act on `code`.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "Where the code is explained."},
        "title": {"type": "string", "description": "What the code means, the same each time."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "code": {"type": "string", "enum": [str(code) for code in Code]},
        "detail": {"type": "string", "description": "What happened this time, for people."},
        "errors": {
            "type": "array",
            "description": "With `invalid`: what is wrong, field by field.",
            "items": {
                "type": "object",
                "required": ["field", "code", "message"],
                "properties": {
                    "field": {
                        "type": "string",
                        "description": "A path like `shipping_address.city`; empty for the whole.",
                    },
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
        "cart": {"$ref": "#/components/schemas/Cart"},
        "order": {"$ref": "#/components/schemas/Order"},
    },
}
