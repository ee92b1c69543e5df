"""The API's OpenAPI document as the shop serves it, and the pages to read it."""

import functools
from typing import Any

from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import conditional_page
from drf_spectacular.generators import SchemaGenerator
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from api.views import ApiView


@functools.cache
def document() -> dict[str, Any]:
    """Return the document, which is made once: it takes a second, and does not change."""
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return made


@method_decorator(gzip_page, name="dispatch")
@method_decorator(conditional_page, name="dispatch")
@method_decorator(cache_control(public=True, no_cache=True), name="dispatch")
class Document(ApiView):
    schema = None
    authentication_classes = ()
    permission_classes = (AllowAny,)
    is_cacheable = True

    def get(self, request: Request) -> Response:
        return Response(document())
