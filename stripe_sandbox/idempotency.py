"""Idempotency keys: the first result of a request is every repeat's result."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from stripe_sandbox.errors import invalid, key_in_use, key_reused
from stripe_sandbox.store import Store, StoredAnswer

_LONGEST_KEY = 255


def fingerprint(method: str, path: str, params: dict[str, Any]) -> str:
    said = json.dumps([method, path, params], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


class Keys:
    """Keys in use and keys used; running requests live in memory, for they end with the process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._running: set[str] = set()

    @contextmanager
    def claimed(self, key: str, digest: str) -> Iterator[StoredAnswer | None]:
        """Hold the key; gives the stored answer of an earlier request with the same parameters.

        Raises ApiError when the key is being used by another request, or was for other parameters.
        """
        if len(key) > _LONGEST_KEY:
            raise invalid(f"Idempotency keys can be up to {_LONGEST_KEY} characters long.")
        with self._lock:
            if key in self._running:
                raise key_in_use(key)
            self._running.add(key)
        try:
            stored = self._store.stored_answer(key)
            if stored and stored.fingerprint != digest:
                raise key_reused(key)
            yield stored
        finally:
            with self._lock:
                self._running.discard(key)
