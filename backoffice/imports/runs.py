"""An import on its way: sent in, looked over by a job, then imported by a job, or discarded.

To look over is to do it and to take it back: what the page promises is what the database said. A
job does some products and queues the next one; each product is one transaction with the state of
its rows, so that a job which is killed goes on where it was.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import DataError, IntegrityError, transaction
from django.utils.text import slugify
from procrastinate.contrib.django import app

from backoffice.audit import acting
from backoffice.imports import columns, files, products
from backoffice.imports.files import Row
from backoffice.imports.products import Line
from backoffice.models import ImportRow, ImportRun
from shop.faults import fault_point
from shop.models import Variant

_PRODUCTS_PER_JOB = 100
_KEPT = timedelta(days=90)
_MOVED_ON = (
    "Somebody changed this product after the file was looked over, so nothing of it was imported."
)
_CLASHED = "Somebody was adding the same at this moment. Import it again."
_NEXT_OF = {
    ImportRun.State.CHECKING: ImportRun.State.CHECKED,
    ImportRun.State.IMPORTING: ImportRun.State.DONE,
}


@transaction.atomic
def upload(*, name: str, content: bytes, key: UUID, by: int, at: datetime) -> ImportRun:
    """Keep a file's rows, and have them looked over.

    `key` is the form's: sent again, it returns what it began. Raises files.UnfitFile, and then
    nothing was written.
    """
    if before := ImportRun.objects.filter(form_key=key).first():
        return before
    header, *rows = files.read(content)
    names = columns.named(header)
    run = ImportRun.objects.create(
        file_name=name[-200:],
        columns=names,
        row_count=len(rows),
        form_key=key,
        by_user_id=by,
        uploaded_at=at,
    )
    ImportRow.objects.bulk_create(_import_rows(run, rows), batch_size=1_000)
    _queue(run)
    return run


def _import_rows(run: ImportRun, rows: Sequence[Row]) -> list[ImportRow]:
    """Return rows to keep: those of one product have one group, repeated SKUs are left out."""
    said = [_cells(run.columns, row.cells) for row in rows]
    skus = [cells.get("sku", "") for cells in said]
    found = Variant.objects.filter(sku__in=skus).order_by()
    known = dict(found.values_list("sku", "product__slug"))
    groups: dict[str, int] = {}
    kept = []
    times: Counter[str] = Counter()
    for row, cells, sku in zip(rows, said, skus, strict=True):
        slug = known.get(sku) or cells.get("slug", "").lower() or slugify(cells.get("title", ""))
        group = groups.setdefault(slug or f"row {row.number}", len(groups))
        one = ImportRow(run=run, number=row.number, group=group, sku=sku)
        one.cells = [cells.get(name, "") for name in run.columns]
        times[sku] += 1
        if sku and times[sku] > 1:
            one.state, one.problems = ImportRow.State.LEFT_OUT, ["sku: it stands in a row above."]
        elif len(row.cells) > len(run.columns) and any(row.cells[len(run.columns) :]):
            one.state = ImportRow.State.LEFT_OUT
            one.problems = ["It has more cells than the first row: is a text without its quotes?"]
        kept.append(one)
    return kept


def _cells(names: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    return dict(zip(names, cells, strict=False))


def start(*, run_id: int, by: int) -> bool:
    """Import what was looked over; return False if that was begun, or discarded, before."""
    return _leave_checked(run_id, ImportRun.State.IMPORTING, by_user_id=by)


def discard(*, run_id: int) -> bool:
    """Let a file be that was looked over; return False if it was not waiting for that."""
    return _leave_checked(run_id, ImportRun.State.DISCARDED)


@transaction.atomic
def _leave_checked(run_id: int, state: ImportRun.State, **changes: int) -> bool:
    waiting = ImportRun.objects.filter(pk=run_id, state=ImportRun.State.CHECKED)
    if not waiting.update(state=state, **changes):
        return False
    if state in ImportRun.RUNNING:
        _queue(ImportRun.objects.get(pk=run_id))
    return True


def go_on(*, run_id: int, at: datetime) -> None:
    """Do the next products of an import, and queue the job after this one. May be repeated."""
    run = ImportRun.objects.filter(pk=run_id, state__in=ImportRun.RUNNING).first()
    if run is None:
        return
    due = run.rows.filter(state=_due(run)).order_by("group")
    groups = due.values_list("group", flat=True).distinct()[:_PRODUCTS_PER_JOB]
    for group in groups:
        with acting(user_id=run.by_user_id, how=str(run)):
            _do(run, group, at)
        fault_point("imports:between-products")
    if len(groups) == _PRODUCTS_PER_JOB:
        _queue(run)
        return
    same = ImportRun.objects.filter(pk=run.pk, state=run.state)
    same.update(state=_NEXT_OF[ImportRun.State(run.state)])


def forget(*, at: datetime) -> None:
    """Delete imports that were sent in long ago, with their rows."""
    ImportRun.objects.filter(uploaded_at__lt=at - _KEPT).delete()


def _queue(run: ImportRun) -> None:
    task = app.configure_task("backoffice.tasks.go_on_with_import", lock=f"import {run.pk}")
    task.defer(run_id=run.pk)


def _due(run: ImportRun) -> ImportRow.State:
    """Return the state of the rows that are still to be done."""
    is_look = run.state == ImportRun.State.CHECKING
    return ImportRow.State.WAITING if is_look else ImportRow.State.FIT


def _do(run: ImportRun, group: int, at: datetime) -> None:
    """Look over, or import, the rows of one product, and keep what came of it."""
    rows = run.rows.filter(group=group).exclude(state=ImportRow.State.LEFT_OUT)
    try:
        with transaction.atomic():
            locked = list(rows.select_for_update().order_by("number"))
            if not any(row.state == _due(run) for row in locked):
                return
            if run.state == ImportRun.State.CHECKING:
                _look_over(run, locked, at)
            else:
                _import(run, locked, at)
            ImportRow.objects.bulk_update(
                locked, ["state", "problems", "changes", "adds", "on_hand_seen"]
            )
    except (IntegrityError, DataError):
        rows.filter(state=_due(run)).update(state=ImportRow.State.LEFT_OUT, problems=[_CLASHED])


def _look_over(run: ImportRun, rows: Sequence[ImportRow], at: datetime) -> None:
    with transaction.atomic():
        lines = _write(run, rows, at)
        transaction.set_rollback(True)
    for row, line in zip(rows, lines, strict=True):
        row.problems, row.changes, row.adds = line.problems, line.changes, line.adds
        row.on_hand_seen = line.on_hand_seen
        if row.problems:
            row.state = ImportRow.State.LEFT_OUT
        else:
            row.state = ImportRow.State.FIT if row.changes else ImportRow.State.SAME


def _import(run: ImportRun, rows: Sequence[ImportRow], at: datetime) -> None:
    """Write the rows just as they were looked over, or, where that is not so any more, none."""
    with transaction.atomic():
        lines = _write(run, rows, at)
        is_as_seen = all(
            not line.problems and (line.changes, line.adds) == (row.changes, row.adds)
            for row, line in zip(rows, lines, strict=True)
        )
        transaction.set_rollback(not is_as_seen)
    for row in rows:
        if row.state == ImportRow.State.FIT:
            row.state = ImportRow.State.DONE if is_as_seen else ImportRow.State.LEFT_OUT
            row.problems = [] if is_as_seen else [_MOVED_ON]


def _write(run: ImportRun, rows: Sequence[ImportRow], at: datetime) -> list[Line]:
    lines = [Line(columns.read(_said(run, row)), row.on_hand_seen) for row in rows]
    products.write(lines, why=str(run), by=run.by_user_id, at=at)
    return lines


def _said(run: ImportRun, row: ImportRow) -> Mapping[str, str]:
    return _cells(run.columns, row.cells)
