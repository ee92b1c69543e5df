"""A client of the API, as an app on somebody's phone is one."""

import json
import threading
from typing import Any
from uuid import uuid4

from django.test import Client


class Caller:
    """Sends JSON with the headers that say who asks; keeps no cookies.

    A POST gets a new Idempotency-Key each time, unless the call names one; `key=None` sends none.
    """

    def __init__(self, **headers: str) -> None:
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def get(self, path: str, **headers: str) -> Any:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: object = None, key: str | None = "new", **headers: str) -> Any:
        if key is not None:
            headers["Idempotency_Key"] = str(uuid4()) if key == "new" else key
        return self.call("POST", path, {} if body is None else body, **headers)

    def put(self, path: str, body: object) -> Any:
        return self.call("PUT", path, body)

    def patch(self, path: str, body: object) -> Any:
        return self.call("PATCH", path, body)

    def delete(self, path: str) -> Any:
        return self.call("DELETE", path)

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """Return the answer; `path` is below /api/."""
        sent = self.headers | {name.replace("_", "-"): text for name, text in headers.items()}
        text = "" if body is None else json.dumps(body)
        client = _client()
        client.cookies.clear()
        return client.generic(
            method, f"/api/{path}", text, content_type="application/json", headers=sent
        )


class _OfThread(threading.local):
    client: Client | None = None


_of_thread = _OfThread()


def _client() -> Client:
    """Return the thread's own: each new one reads the list of static files."""
    _of_thread.client = _of_thread.client or Client()
    return _of_thread.client


def assert_problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """Assert that an answer is a problem of this code, whole and in shape; return its body."""
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    problem: dict[str, Any] = answer.json()
    assert problem["code"] == code, problem
    assert problem["status"] == status
    assert problem["type"].endswith(f"/api/problems/#{code}")
    assert problem["title"]
    assert problem["detail"]
    assert ("errors" in problem) == (code == "invalid")
    return problem


def fields_of(problem: dict[str, Any]) -> dict[str, str]:
    """Return the code of what is wrong by field."""
    return {error["field"]: error["code"] for error in problem["errors"]}
