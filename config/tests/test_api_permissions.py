"""Who may call what: each endpoint of the API, asked by each caller."""

import re
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver
from rest_framework.views import APIView

from api.views import NothingHere
from config import api_urls
from config.tests.api_scene import Scene, send
from config.tests.api_surface import CALLERS, PAGE, SURFACE, Row, page, shape

# Measuring would double its time, and each line that it runs is a test's of its own too.
pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]
_WRITES = re.compile(r'(?:INSERT INTO|UPDATE|DELETE FROM) "(?!api_idempotencykey)')
_REFUSED = {401, 403, 404}
_STAFF = set(CALLERS[5:])
CELLS = [
    pytest.param(row, caller, status, id=f"{row}-{caller}")
    for row in SURFACE
    for caller, status in zip(CALLERS, row.statuses, strict=True)
]


@pytest.mark.parametrize(("row", "caller", "status"), CELLS)
def test_a_caller_may_do_what_the_table_says(
    sandbox: Any, row: Row, caller: str, status: int
) -> None:
    scene = Scene(caller)
    client = scene.client()
    if "password/change" in row.path and status not in _REFUSED:
        scene.user_who_asks.set_password(scene.password)
        scene.user_who_asks.save()
        client = scene.client()
    path = row.path.format_map(scene.names())
    body = row.body(scene) if row.body else None

    # What earlier requests of the process had learned must not count.
    ContentType.objects.clear_cache()
    with CaptureQueriesContext(connection) as queries:
        answer = send(client, row.method, path, body, is_multipart=row.is_multipart)

    assert answer.status_code == status, answer.content
    statements = [
        query["sql"]
        for query in queries.captured_queries
        if not query["sql"].startswith(("SAVEPOINT", "RELEASE", "SELECT set_config('shop.audit'"))
    ]
    # The audit log marks staff's transactions, once each. The test's own goes on: unmarked again.
    marks = [query for query in queries.captured_queries if "shop.audit" in query["sql"]]
    assert len(marks) <= (2 if caller in _STAFF else 0)
    assert not answer.cookies
    if status in _REFUSED:
        assert [sql for sql in statements if _WRITES.match(sql)] == []
    else:
        assert len(statements) <= row.queries, statements


def test_every_endpoint_has_its_row() -> None:
    pages = {"docs/", "problems/", ""}
    found = {
        (method, path)
        for path, methods in endpoints(api_urls.urlpatterns).items()
        for method in methods
        if path not in pages
    }

    assert {(row.method, shape(row.path)) for row in SURFACE} == found


def test_the_documentation_shows_this_table() -> None:
    assert PAGE.read_text() == page(), "run python -m config.tests.api_surface"


def endpoints(patterns: Any, above: str = "") -> dict[str, list[str]]:
    """Return the methods of each address, with "{}" for what varies in it."""
    found: dict[str, list[str]] = {}
    for pattern in patterns:
        path = above + shape(str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            found |= endpoints(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern):
            view = getattr(pattern.callback, "cls", None)
            if view is None or view is NothingHere:
                found[path] = []
                continue
            assert issubclass(view, APIView)
            names = ("get", "post", "put", "patch", "delete")
            found[path] = [name.upper() for name in names if hasattr(view, name)]
    return found
