"""Lists, a page at a time, with links to the others."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import DataError
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination, PageNumberPagination
from rest_framework.request import Request

_MOST = 100


class Pages(PageNumberPagination):
    """Numbered pages, for lists that somebody turns over."""

    page_size = 20
    page_size_query_param = "page_size"
    max_page_size = _MOST

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        count = {"type": "integer", "description": "Of all pages together."}
        return _schema(schema, {"count": count})


class NewestFirst(CursorPagination):
    """Pages that are reached one after the other, for lists without end: none costs more."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = _MOST
    ordering = "-pk"

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
