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
