"""Files of products, sent in and brought to their end."""

import csv
from io import BytesIO, StringIO
from typing import Any
from uuid import uuid4

import openpyxl

from accounts.models import User
from backoffice.imports import runs
from backoffice.models import ImportRow, ImportRun
from shop.clock import now

Table = list[list[Any]]


def as_csv(table: Table, sign: str = ",") -> bytes:
    text = StringIO()
    csv.writer(text, delimiter=sign).writerows(table)
    return text.getvalue().encode()


def as_xlsx(table: Table) -> bytes:
    workbook = openpyxl.Workbook()
    sheet: Any = workbook.active
    for row in table:
        sheet.append(row)
    content = BytesIO()
    workbook.save(content)
    return content.getvalue()


def work(run: ImportRun) -> None:
    """Do what the job would do, until nothing of it is left."""
    state = run.state
    while run.state == state:
        runs.go_on(run_id=run.pk, at=now())
        run.refresh_from_db()


def looked_over(by: User, table: Table | bytes) -> ImportRun:
    content = table if isinstance(table, bytes) else as_csv(table)
    run = runs.upload(name="books.csv", content=content, key=uuid4(), by=by.pk, at=now())
    work(run)
    return run


def imported(by: User, table: Table | bytes) -> ImportRun:
    run = looked_over(by, table)
    finish(run, by)
    return run


def finish(run: ImportRun, by: User) -> None:
    assert runs.start(run_id=run.pk, by=by.pk)
    run.refresh_from_db()
    work(run)


def rows(run: ImportRun) -> dict[int, ImportRow]:
    return {row.number: row for row in run.rows.all()}


def problems(run: ImportRun) -> dict[int, list[str]]:
    """Return what is wrong with rows that are left out, by their numbers."""
    left_out = run.rows.filter(state=ImportRow.State.LEFT_OUT)
    return dict(left_out.values_list("number", "problems"))
