"""CSV files that people download, sent as their rows are read: length costs no memory."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from typing import Any

from django.http import StreamingHttpResponse

from shop.csv_cells import as_text
from shop.money import UnsupportedCurrency, to_decimal

ROWS_AT_ONCE = 1_000
# Without it Excel takes the letters of UTF-8 for those of Windows, and names are garbled.
_BOM = "\ufeff"


def download(
    name: str, header: Sequence[str], rows: Iterable[Iterable[Any]]
) -> StreamingHttpResponse:
    """Answer with a file of that name.

    An error in the midst ends the connection before the end of the answer, so that a browser calls
    the download failed and nobody takes a part for the whole.
    """
    return StreamingHttpResponse(
        _pieces(header, rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def amount(amount_minor: int, currency: str) -> Decimal | str:
    """Return minor units as a figure in major ones, with all its digits.

    Empty in a currency the shop does not know: how many digits it has is not known either.
    """
    try:
        return to_decimal(amount_minor, currency)
    except UnsupportedCurrency:
        return ""


def _pieces(header: Sequence[str], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    text = StringIO()
    text.write(_BOM)
    writer = csv.writer(text)
    writer.writerow(header)
    for count, row in enumerate(rows, start=1):
        writer.writerow([_cell(value) for value in row])
        if count % ROWS_AT_ONCE == 0:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def _cell(value: Any) -> Any:
    match value:
        case str():
            return as_text(value)
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        case _:
            return value
