"""The answer to whoever watches whether this process lives."""

from typing import Any

import pytest
from django.db import connections
from django.test import Client


@pytest.mark.django_db
def test_a_process_that_reaches_its_database_is_healthy() -> None:
    answer = Client().get("/health")

    assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})


@pytest.mark.django_db(transaction=True)
def test_a_process_without_its_database_is_not(settings: Any) -> None:
    connection = connections["default"]
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    good = connection.settings_dict
    connection.settings_dict = good | {
        "OPTIONS": {"connect_timeout": 1},
        "HOST": "/nonexistent",
    }
    try:
        answer = Client().get("/health")
    finally:
        connection.settings_dict = good
        connection.close()

    assert (answer.status_code, answer.json()) == (503, {"status": "unhealthy"})
