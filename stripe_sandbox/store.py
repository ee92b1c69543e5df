"""The sandbox's state: one SQLite file that survives a restart.

Stripe's objects are kept as the JSON that the API shows; names that begin with an underscore are
our own notes and never leave the process (see `objects.public`). One connection and one lock serve
all threads: requests take turns, which makes every use case atomic against every other.
"""

import copy
import json
import sqlite3
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

Record = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, type TEXT NOT NULL, body TEXT NOT NULL,
    changed INTEGER NOT NULL DEFAULT 0, body_before TEXT
);
CREATE INDEX IF NOT EXISTS objects_of_type ON objects (type, seq);
CREATE INDEX IF NOT EXISTS objects_of_intent
    ON objects (type, json_extract(body, '$.payment_intent'), seq);
CREATE INDEX IF NOT EXISTS objects_of_charge
    ON objects (type, json_extract(body, '$.charge'), seq);
CREATE INDEX IF NOT EXISTS movements_of_source ON objects (json_extract(body, '$.source'), seq)
    WHERE type = 'balance_transaction';
CREATE INDEX IF NOT EXISTS open_sessions ON objects (json_extract(body, '$.expires_at'))
    WHERE type = 'checkout.session' AND json_extract(body, '$.status') = 'open';
CREATE INDEX IF NOT EXISTS unsettled_charges ON objects (json_extract(body, '$._settles_at'))
    WHERE type = 'charge' AND json_extract(body, '$._settles_at') IS NOT NULL;
CREATE TABLE IF NOT EXISTS idempotency (
    key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, request_id TEXT NOT NULL,
    status INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY, event_id TEXT NOT NULL, due_at REAL NOT NULL, position REAL NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL, endpoint_id TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS deliveries_of_event ON deliveries (event_id);
CREATE INDEX IF NOT EXISTS waiting_deliveries ON deliveries (due_at) WHERE state = 'waiting';
CREATE TABLE IF NOT EXISTS tries (
    id INTEGER PRIMARY KEY, event_id TEXT NOT NULL, status INTEGER, at INTEGER NOT NULL,
    endpoint_id TEXT NOT NULL
);
"""
# The endpoint that the environment names, for which a demo's older state may still wait.
OWN_ENDPOINT = "we_1SandboxFromEnvironment"
# Columns that the file of an older demo lacks.
_ADDED_COLUMNS = (
    ("deliveries", "endpoint_id", f"TEXT NOT NULL DEFAULT '{OWN_ENDPOINT}'"),
    ("tries", "endpoint_id", f"TEXT NOT NULL DEFAULT '{OWN_ENDPOINT}'"),
    ("objects", "changed", "INTEGER NOT NULL DEFAULT 0"),
    ("objects", "body_before", "TEXT"),
)
_TRY_NAMES = ("event", "endpoint", "status", "at")
_TABLES = ("objects", "idempotency", "deliveries", "tries")


@dataclass(frozen=True)
class StoredAnswer:
    """The first result of a request with an idempotency key."""

    fingerprint: str
    request_id: str
    status: int
    body: str


@dataclass(frozen=True)
class Delivery:
    id: int
    event_id: str
    endpoint_id: str
    tries: int


class Store:
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._depth = 0
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_SCHEMA)
        for table, column, definition in _ADDED_COLUMNS:
            columns = {name for _, name, *_ in self._rows(f"PRAGMA table_info({table})")}
            if column not in columns:
                self._rows(f"ALTER TABLE {table} ADD COLUMN {column} {definition}")
        # Transactions are numbered, so that it is known what changed together.
        ((self._transaction,),) = self._rows("SELECT ifnull(max(changed), 0) FROM objects")
        self._unseen_from = sys.maxsize

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and alone: other threads wait. An inner transaction joins the outer."""
        with self._lock:
            if self._depth == 0:
                self._connection.execute("BEGIN IMMEDIATE")
                self._transaction += 1
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._connection.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._connection.execute("COMMIT")

    def _rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Read by SQL of our own."""
        return self._rows(sql)

    def clear(self) -> None:
        with self.transaction():
            for table in _TABLES:
                self._rows(f"DELETE FROM {table}")  # noqa: S608 - our own constants

    # Stripe's objects

    def save(self, record: Record) -> None:
        """Insert or update by id; an update keeps its place in the order of creation."""
        with self.transaction():
            self._rows(
                "INSERT INTO objects (id, type, body, changed) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET body = excluded.body, changed = excluded.changed,"
                " body_before = iif(changed = excluded.changed, body_before, body)"
                " WHERE body <> excluded.body",
                (record["id"], record["object"], json.dumps(record), self._transaction),
            )

    def find(self, kind: str, object_id: str) -> Record | None:
        rows = self._rows(
            "SELECT iif(changed >= ?, ifnull(body_before, body), body) FROM objects"
            " WHERE id = ? AND type = ?",
            (self._unseen_from, object_id, kind),
        )
        return json.loads(rows[0][0]) if rows else None

    def before_change(self, object_ids: Sequence[str]) -> Self:
        """Return a view whose `find` and `get` lag behind, as a replica's would.

        They do not see the latest transaction that changed one of these objects, nor later ones;
        of each object one change is undone at most, and never its making.
        """
        marks = ",".join("?" * len(object_ids))
        ((latest,),) = self._rows(
            f"SELECT max(changed) FROM objects WHERE id IN ({marks})",  # noqa: S608 - marks only
            object_ids,
        )
        lagging = copy.copy(self)
        lagging._unseen_from = sys.maxsize if latest is None else latest
        return lagging

    def get(self, kind: str, object_id: str) -> Record:
        """Like `find`, for an id of our own; raises KeyError."""
        record = self.find(kind, object_id)
        if record is None:
            raise KeyError(object_id)
        return record

    def place_of(self, kind: str, object_id: str) -> int | None:
        """Return where the object stands in the order of creation."""
        rows = self._rows("SELECT seq FROM objects WHERE id = ? AND type = ?", (object_id, kind))
        return rows[0][0] if rows else None

    def last_place(self) -> int:
        """Return where the newest object stands, or 0."""
        ((place,),) = self._rows("SELECT ifnull(max(seq), 0) FROM objects")
        return int(place)

    def count(self, kind: str) -> int:
        ((number,),) = self._rows("SELECT count(*) FROM objects WHERE type = ?", (kind,))
        return int(number)

    def select(
        self,
        kind: str,
        conditions: Sequence[tuple[str, object]],
        *,
        newest_first: bool,
        limit: int,
    ) -> list[Record]:
        """Return objects that meet all `conditions`: pairs of our own SQL and its one value."""
        where = "".join(f" AND {condition}" for condition, _ in conditions)
        direction = "DESC" if newest_first else "ASC"
        rows = self._rows(
            f"SELECT body FROM objects WHERE type = '{kind}'{where}"  # noqa: S608
            f" ORDER BY seq {direction} LIMIT ?",
            [*(value for _, value in conditions), limit],
        )
        return [json.loads(body) for (body,) in rows]

    # Both are asked many times a second, so their SQL says word for word what the indexes say.

    def overdue_sessions(self, at: int) -> list[Record]:
        rows = self._rows(
            "SELECT body FROM objects INDEXED BY open_sessions WHERE type = 'checkout.session'"
            " AND json_extract(body, '$.status') = 'open'"
            " AND json_extract(body, '$.expires_at') <= ?",
            (at,),
        )
        return [json.loads(body) for (body,) in rows]

    def unsettled_charges(self, at: int) -> list[Record]:
        rows = self._rows(
            "SELECT body FROM objects INDEXED BY unsettled_charges WHERE type = 'charge'"
            " AND json_extract(body, '$._settles_at') IS NOT NULL"
            " AND json_extract(body, '$._settles_at') <= ?",
            (at,),
        )
        return [json.loads(body) for (body,) in rows]

    # Answers by idempotency key

    def stored_answer(self, key: str) -> StoredAnswer | None:
        rows = self._rows(
            "SELECT fingerprint, request_id, status, body FROM idempotency WHERE key = ?", (key,)
        )
        return StoredAnswer(*rows[0]) if rows else None

    def store_answer(self, key: str, answer: StoredAnswer) -> None:
        self._rows(
            "INSERT INTO idempotency VALUES (?, ?, ?, ?, ?)",
            (key, answer.fingerprint, answer.request_id, answer.status, answer.body),
        )

    # Webhook deliveries

    def queue_delivery(
        self, event_id: str, endpoint_id: str, *, due_at: float, position: float, state: str
    ) -> None:
        """`state` is waiting, delivered or dropped; equal due times go by `position`."""
        self._rows(
            "INSERT INTO deliveries (event_id, endpoint_id, due_at, position, state)"
            " VALUES (?, ?, ?, ?, ?)",
            (event_id, endpoint_id, due_at, position, state),
        )

    def due_deliveries(self, at: float) -> list[Delivery]:
        rows = self._rows(
            "SELECT id, event_id, endpoint_id, tries FROM deliveries"
            " WHERE state = 'waiting' AND due_at <= ? ORDER BY position, id",
            (at,),
        )
        return [Delivery(*row) for row in rows]

    def record_try(
        self, delivery: Delivery, *, status: int | None, at: int, retry_at: float | None
    ) -> None:
        """Note a try at real time `at`; without `retry_at` the delivery is done.

        Nothing is noted when the state was cleared while the try was under way.
        """
        with self.transaction():
            known = self._rows(
                "UPDATE deliveries SET tries = tries + 1, state = ?, due_at = ifnull(?, due_at)"
                " WHERE id = ? AND event_id = ? RETURNING id",
                (
                    "delivered" if retry_at is None else "waiting",
                    retry_at,
                    delivery.id,
                    delivery.event_id,
                ),
            )
            if known:
                self.note_try(delivery.event_id, delivery.endpoint_id, status=status, at=at)

    def note_try(self, event_id: str, endpoint_id: str, *, status: int | None, at: int) -> Record:
        """Keep and return a try to post an event; no status: there was no answer."""
        values = (event_id, endpoint_id, status, at)
        self._rows(
            "INSERT INTO tries (event_id, endpoint_id, status, at) VALUES (?, ?, ?, ?)", values
        )
        return dict(zip(_TRY_NAMES, values, strict=True))

    def drop_delivery(self, delivery: Delivery) -> None:
        """Send it never, because its endpoint is closed or disabled."""
        self._rows("UPDATE deliveries SET state = 'dropped' WHERE id = ?", (delivery.id,))

    def delete_endpoint(self, endpoint_id: str) -> None:
        """Forget an endpoint, if it is there, with all that waits for it."""
        with self.transaction():
            self._rows("DELETE FROM objects WHERE id = ?", (endpoint_id,))
            self._rows("DELETE FROM deliveries WHERE endpoint_id = ?", (endpoint_id,))

    def undelivered(self, event_id: str) -> int:
        """Return the number of endpoints that have not accepted the event yet."""
        pending = self._rows(
            "SELECT 1 FROM deliveries WHERE event_id = ?"
            " GROUP BY endpoint_id HAVING sum(state = 'delivered') = 0",
            (event_id,),
        )
        return len(pending)

    def tries(self, event_id: str | None = None) -> list[Record]:
        """Return the tries to post this event, or all events, oldest first."""
        rows = self._rows(
            "SELECT event_id, endpoint_id, status, at FROM tries"
            " WHERE event_id = ifnull(?, event_id) ORDER BY id",
            (event_id,),
        )
        return [dict(zip(_TRY_NAMES, row, strict=True)) for row in rows]
