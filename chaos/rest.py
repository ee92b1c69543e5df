"""Calm after the storm: time passes until nothing moves any more, or somebody must be told why."""

import random
import time
from contextlib import closing

import psycopg

from chaos.town import Town
from chaos.weather import Weather
from config.demo import say

_WITHIN_SECONDS = 900
_TELL_EVERY = 20
# Holds end after an hour, a day to pay otherwise after a failed debit.
_STEPS_HOURS = (1, 3, 26, 26, 3)
# What may still move: a job, an event, an order, a refund, an attempt.
_MOVING = {
    "jobs": "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
    " AND NOT EXISTS (SELECT 1 FROM procrastinate_periodic_defers p"
    " WHERE p.task_name = procrastinate_jobs.task_name)",
    "events": "SELECT count(*) FROM payments_inboxevent WHERE state IN ('received', 'retrying')",
    "orders": "SELECT count(*) FROM orders_order o WHERE status = 'pending' AND NOT EXISTS ("
    " SELECT 1 FROM orders_review r WHERE r.order_id = o.id AND r.resolved_at IS NULL)",
    "refunds": "SELECT count(*) FROM payments_refund"
    " WHERE state IN ('created', 'pending', 'requires_action')",
    "attempts": "SELECT count(*) FROM payments_paymentattempt"
    " WHERE state IN ('created', 'open', 'processing')",
}
_COUNTS = {
    "orders": "SELECT status, count(*) FROM orders_order GROUP BY 1",
    "attempts": "SELECT kind || ' ' || state || rtrim(' ' || closed_as), count(*)"
    " FROM payments_paymentattempt GROUP BY 1",
    "refunds": "SELECT source || ' ' || state, count(*) FROM payments_refund GROUP BY 1",
    "disputes": "SELECT status, count(*) FROM payments_dispute GROUP BY 1",
    "reviews": "SELECT reason || ' ' || coalesce(nullif(resolution, ''), 'open'), count(*)"
    " FROM orders_review GROUP BY 1",
    "events": "SELECT state, count(*) FROM payments_inboxevent GROUP BY 1",
    "ledger": "SELECT kind, count(*) FROM payments_ledgerentry GROUP BY 1",
}
_FAILED_EVENTS = "SELECT count(*) FROM payments_inboxevent WHERE state = 'failed'"


class NoRest(Exception):
    """Something still moves after a quarter of an hour; the message says what."""


def come_to_rest(town: Town, weather: Weather) -> int:
    """Let banks decide, holds end and reconciliation run; return how many events failed.

    Raises NoRest.
    """
    say("\nCalm. Waiting for rest ...")
    dice = random.Random(f"{town.seed}-rest")
    give_up_at = time.monotonic() + _WITHIN_SECONDS
    told_at = 0.0
    with closing(psycopg.connect(town.database, autocommit=True)) as connection:
        for step, hours in enumerate(_STEPS_HOURS, start=1):
            weather.control("POST", "clock", {"advance": hours * 3600})
            town.manage("reconcile")
            while moving := _moving(connection, weather, dice):
                if time.monotonic() > give_up_at:
                    raise NoRest(f"still moving: {moving}")
                if time.monotonic() > told_at + _TELL_EVERY:
                    told_at = time.monotonic()
                    say(f"  still moving: {moving}")
                if step < len(_STEPS_HOURS) and moving.keys() <= {"orders", "attempts"}:
                    # Only time moves these.
                    break
                time.sleep(2)
        say("At rest:")
        for what, sql in _COUNTS.items():
            rows = connection.execute(sql.encode()).fetchall()
            say(f"  {what}: " + ", ".join(f"{name} {count}" for name, count in sorted(rows)))
        (failed,) = connection.execute(_FAILED_EVENTS).fetchone() or (0,)
    return int(failed)


def _moving(
    connection: psycopg.Connection, weather: Weather, dice: random.Random
) -> dict[str, int]:
    """Return what still moves, and how much of it; banks decide by the way."""
    found = {"at Stripe": weather.decide(dice, share=0.9)}
    weather.control("POST", "deliveries/flush")
    for what, sql in _MOVING.items():
        row = connection.execute(sql.encode()).fetchone()
        found[what] = row[0] if row else 0
    return {what: count for what, count in found.items() if count}
