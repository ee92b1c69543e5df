"""Stripe's lists: newest first, paged by cursor, filtered."""

from typing import Any

from stripe_sandbox.errors import invalid
from stripe_sandbox.objects import listing
from stripe_sandbox.params import Raw, Rule, fields, integer, text
from stripe_sandbox.store import Record, Store

_timestamp = integer()
_created_range = fields(dict.fromkeys(("gt", "gte", "lt", "lte"), _timestamp))
_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def _created(name: str, raw: Raw) -> dict[str, int]:
    return _created_range(name, raw) if isinstance(raw, dict) else {"at": _timestamp(name, raw)}


PAGE_PARAMS: dict[str, Rule] = {
    "created": _created,
    "ending_before": text,
    "limit": integer(minimum=1, maximum=100),
    "starting_after": text,
}
Conditions = list[tuple[str, object]]


def field_is(name: str, value: object) -> Conditions:
    return [(f"json_extract(body, '$.{name}') = ?", value)]


def page(
    store: Store, kind: str, url: str, params: dict[str, Any], conditions: Conditions
) -> Record:
    """Return one page of objects of this kind; raises ApiError for a cursor that names none."""
    conditions = conditions + _created_conditions(params.get("created", {}))
    if "starting_after" in params and "ending_before" in params:
        raise invalid("You may only specify one of starting_after, ending_before.")
    backwards = "ending_before" in params
    for cursor, comparison in (("starting_after", "<"), ("ending_before", ">")):
        if cursor in params:
            place = store.place_of(kind, params[cursor])
            if place is None:
                message = f"No such {kind}: '{params[cursor]}'"
                raise invalid(message, cursor, "resource_missing")
            conditions.append((f"seq {comparison} ?", place))
    limit = params.get("limit", 10)
    found = store.select(kind, conditions, newest_first=not backwards, limit=limit + 1)
    data = found[:limit]
    return listing(url, data[::-1] if backwards else data, has_more=len(found) > limit)


def all_of_charge(store: Store, kind: str, charge_id: str) -> list[Record]:
    """Return a charge's refunds or disputes, oldest first."""
    return store.select(kind, field_is("charge", charge_id), newest_first=False, limit=-1)


def _created_conditions(created: dict[str, int]) -> Conditions:
    return [
        (f"json_extract(body, '$.created') {_COMPARISONS.get(bound, '=')} ?", moment)
        for bound, moment in created.items()
    ]
