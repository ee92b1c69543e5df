"""What all answers of the API have in common."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils.cache import add_never_cache_headers
from rest_framework import permissions
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, Serializer
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from api import limits
from api.problems import VERSION, VERSION_HEADER, Code, Problem
from api.rights import StaffMay


class ApiView(APIView):
    """A view of the API; `limit` names the rate that requests which change something are held to.

    One that lists rows says by `pagination_class` how.
    """

    limit = "api"
    is_cacheable = False
    pagination_class: type[BasePagination]
    most_bytes: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # PostgreSQL's text cannot hold NUL, so nothing is called so.
        if "\0" in request.path:
            raise Problem(Code.NOT_FOUND)
        # DRF reads the body as a stream, past Django's own limit; judging a session's CSRF token
        # reads it too.
        if int(request.META.get("CONTENT_LENGTH") or 0) > self.most_bytes:
            raise Problem(Code.TOO_LARGE, f"The most that is taken is {self.most_bytes} bytes.")
        super().initial(request, *args, **kwargs)
        version = request.headers.get(VERSION_HEADER, VERSION)
        if version != VERSION:
            raise Problem(Code.UNKNOWN_VERSION, f"The only version is {VERSION}.")

    def get_throttles(self) -> list[BaseThrottle]:
        is_free = self.request.method in permissions.SAFE_METHODS
        return [] if is_free else [*limits.throttles(self.limit)]

    def check_throttles(self, request: Request) -> None:
        # DRF asks them all: who is refused by one would still be counted by the others.
        for throttle in self.get_throttles():
            if not throttle.allow_request(request, self):
                self.throttled(request, throttle.wait() or 0)

    def guest(self) -> str:
        """Return which guest asks, as far as his token was signed by the shop; else nothing."""
        return ""

    def read(self, shape: type[Serializer[Any]], *, partial: bool = False) -> dict[str, Any]:
        """Return what the body says, of the given shape; raises the problem of what is wrong."""
        return _valid(shape(data=self.request.data, partial=partial))

    def read_query(self, shape: type[Serializer[Any]]) -> dict[str, Any]:
        """Return what stands after the question mark, as `read` does."""
        return _valid(shape(data=self.request.query_params.dict()))

    def listed(self, rows: QuerySet[Any], shape: type[BaseSerializer[Any]]) -> Response:
        """Return the page of rows that is asked for."""
        pages = self.pagination_class()
        found = pages.paginate_queryset(rows, self.request, self)
        return pages.get_paginated_response(shape(found, many=True).data)

    def problem_of(self, error: Exception) -> Problem | None:
        """Return what to say of an error of the domain; None where nobody foresaw it."""
        return None

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        final = super().finalize_response(request, response, *args, **kwargs)
        final[VERSION_HEADER] = VERSION
        if not self.is_cacheable:
            add_never_cache_headers(final)
        return final


def _valid(form: Serializer[Any]) -> dict[str, Any]:
    form.is_valid(raise_exception=True)
    return dict(form.validated_data)


class StaffView(ApiView):
    """For staff; `rights` names by method the permission that it takes, as in the admin."""

    permission_classes = (permissions.IsAuthenticated, StaffMay)
    rights: Mapping[str, str]


class NothingHere(ApiView):
    """Any address below /api/ that is no other's."""

    schema = None
    authentication_classes = ()
    permission_classes = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise Problem(Code.NOT_FOUND, "The API has no such address. Each ends in a slash.")
