"""Lists, a page at a time, with links to the others."""

import re
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DataError
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination, PageNumberPagination
from rest_framework.request import Request

from api.problems import invalid

_MOST = 100
_NUMBER = re.compile(r"0*[1-9][0-9]{0,1000}")


class _OurLinks:
    """Links to other pages start with the shop's own address, whatever host was asked."""

    def get_next_link(self) -> str | None:
        return _ours(super().get_next_link())  # type: ignore[misc]

    def get_previous_link(self) -> str | None:
        return _ours(super().get_previous_link())  # type: ignore[misc]


class Pages(_OurLinks, PageNumberPagination):
    """Numbered pages, for lists that somebody turns over."""

    page_size = 20

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        _whole_number(request, "page")
        return super().paginate_queryset(queryset, request, view)

    def get_page_size(self, request: Request) -> int:
        return _page_size(request, self.page_size)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [_parameter("page", "From 1.", {}), _size_parameter(self.page_size)]

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        count = {"type": "integer", "description": "Of all pages together."}
        return _schema(schema, {"count": count})


class NewestFirst(_OurLinks, CursorPagination):
    """Pages that are reached one after the other, for lists without end: none costs more."""

    page_size = 50
    ordering = "-pk"

    def get_page_size(self, request: Request) -> int:
        return _page_size(request, self.page_size)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        cursor = {
            "name": "cursor",
            "in": "query",
            "description": "As `next` and `previous` have it.",
            "schema": {"type": "string"},
        }
        return [cursor, _size_parameter(self.page_size)]

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValueError, ValidationError, DataError) as error:
            # DRF takes any text for a position.
            raise NotFound("Invalid cursor") from error

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return _schema(schema, {})


def _schema(rows: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Return what a page is in OpenAPI 3.1; DRF's own is in the words of 3.0."""
    link = {"type": ["string", "null"], "format": "uri"}
    properties = more | {"next": link, "previous": link, "results": rows}
    return {"type": "object", "required": [*properties], "properties": properties}


def _parameter(name: str, words: str, more: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": 1} | more
    return {"name": name, "in": "query", "description": words, "schema": schema}


def _size_parameter(default: int) -> dict[str, Any]:
    words = f"Entries of a page; above {_MOST} it is {_MOST}."
    return _parameter("page_size", words, {"default": default})


def _page_size(request: Request, default: int) -> int:
    return min(_whole_number(request, "page_size") or default, _MOST)


def _whole_number(request: Request, name: str) -> int | None:
    """Return a number from 1 on; raises the problem of what is none."""
    text = request.query_params.get(name)
    if text is None:
        return None
    if not _NUMBER.fullmatch(text):
        raise invalid(name, "Enter a whole number from 1 on.")
    return int(text)


def _ours(link: str | None) -> str | None:
    if link is None:
        return None
    parts = urlsplit(link)
    return f"{settings.SITE_URL}{parts.path}?{parts.query}"
