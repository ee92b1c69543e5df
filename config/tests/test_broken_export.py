"""A download that the database breaks off in the midst, over the wire."""

import http.client
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.models import User
from config.tests.test_web_stop import HOST, PATIENCE, started
from orders.models import Order
from orders.tests.factories import ADDRESS, PLACED_AT, PendingOrderFactory
from shop.tests.waiting import wait_until

# More of them than fit into what the kernel keeps for a reader who does not read.
_ROWS = 4_000
_LONG = "x" * 5_000


@pytest.mark.django_db(transaction=True)
def test_a_file_that_breaks_off_does_not_look_complete(
    process_environment: Mapping[str, str], tmp_path: Path
) -> None:
    boss = User.objects.create_superuser("boss@example.com")
    _place_many()
    staff = Client()
    staff.force_login(boss)
    cookie = staff.cookies["sessionid"].value

    with started(process_environment, tmp_path) as web:
        wait_until(lambda: not web.refuses())
        with socket.create_connection((HOST, web.port), timeout=PATIENCE) as reader:
            page, host = reverse("admin:orders_order_export_orders"), "Host: testserver"
            request = f"GET {page} HTTP/1.1\r\n{host}\r\nCookie: sessionid={cookie}\r\n\r\n"
            reader.sendall(request.encode())
            answer = http.client.HTTPResponse(reader)
            answer.begin()
            assert (answer.status, answer.chunked) == (200, True)
            _end_other_connections()
            with pytest.raises(http.client.IncompleteRead) as broken:
                answer.read()
        log = web.log.read_text()

    assert broken.value.partial.startswith(b"\xef\xbb\xbforder,placed (UTC),")
    assert "export begun" in log
    assert "export finished" not in log


def _place_many() -> None:
    model = PendingOrderFactory(at=PLACED_AT, address=ADDRESS | {"line1": _LONG})
    fields = {
        column.attname: getattr(model, column.attname) for column in Order._meta.concrete_fields
    }
    Order.objects.bulk_create(
        Order(**fields | {"id": None, "cart_id": None, "number": f"N{number}"})
        for number in range(_ROWS)
    )


def _end_other_connections() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
