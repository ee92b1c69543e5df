"""Tables as spreadsheets write them, CSV or XLSX; every cell becomes text."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from io import BytesIO, StringIO
from typing import Any
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile, ZipFile

import openpyxl
from defusedxml import DefusedXmlException
from openpyxl.utils.exceptions import InvalidFileException

from shop.csv_cells import decoded, from_text, separator

MOST_ROWS = 20_000
MOST_BYTES = 5_000_000
_MOST_COLUMNS = 100
# An XLSX file is a zip file, of which a small one may hold a very large one.
_MOST_UNPACKED_BYTES = 100_000_000
_ZIP = b"PK\x03\x04"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"


class UnfitFile(Exception):
    """No table can be read from the file; `str(error)` says why, for whoever sent it."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row that has something in it: `number` as a spreadsheet counts, cells as in the header."""

    number: int
    cells: list[str]


def read(content: bytes) -> list[Row]:
    """Return the header and the rows below it; rows without anything are left out.

    Raises UnfitFile.
    """
    if len(content) > MOST_BYTES:
        raise UnfitFile("This file is larger than 5 MB: import it in parts.")
    if content.startswith(_OLD_EXCEL):
        raise UnfitFile("This is a file of an old Excel: save it as .xlsx or as CSV.")
    lines = _of_xlsx(content) if content.startswith(_ZIP) else _of_csv(decoded(content))
    rows = list(_filled(lines))
    if len(rows) < 2:
        raise UnfitFile("There is nothing in this file below the names of its columns.")
    return rows


def _filled(lines: Iterable[list[str]]) -> Iterator[Row]:
    found = 0
    for number, line in enumerate(lines, start=1):
        cells = [cell.strip() for cell in line]
        if not any(cells):
            continue
        if "\0" in "".join(cells):
            raise UnfitFile("This is neither a CSV file nor an XLSX file.")
        found += 1
        if found > MOST_ROWS + 1:
            raise UnfitFile(f"These are more than {MOST_ROWS:,} rows: import them in parts.")
        yield Row(number, cells)


def _of_csv(text: str) -> Iterator[list[str]]:
    try:
        for line in csv.reader(StringIO(text, newline=""), delimiter=separator(text)):
            yield [from_text(cell) for cell in line]
    except csv.Error as error:
        raise UnfitFile("This is neither a CSV file nor an XLSX file.") from error


def _of_xlsx(content: bytes) -> Iterator[list[str]]:
    """Yield the rows of the first sheet. Formulas count as what they last came to."""
    try:
        with ZipFile(BytesIO(content)) as packed:
            if sum(part.file_size for part in packed.infolist()) > _MOST_UNPACKED_BYTES:
                raise UnfitFile("This file is too large when it is unpacked: import it in parts.")
        workbook = openpyxl.load_workbook(BytesIO(content), read_only=True, data_only=True)
        sheet: Any = workbook.worksheets[0]
        # What a file says of its size need not be so.
        sheet.reset_dimensions()
        for line in sheet.iter_rows(max_col=_MOST_COLUMNS, values_only=True):
            yield [_as_text(value) for value in line]
    except _UNREADABLE as error:
        raise UnfitFile("This XLSX file cannot be read: save it again, or as CSV.") from error


_UNREADABLE = (
    BadZipFile,
    DefusedXmlException,
    EOFError,
    IndexError,
    InvalidFileException,
    KeyError,
    NotImplementedError,
    ParseError,
    TypeError,
    ValueError,
)


def _as_text(value: object) -> str:
    """Return a cell as somebody would type it: 12.0 is 12, and TRUE is yes."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return str(int(value)) if value.is_integer() else f"{Decimal(repr(value)):f}"
    return str(value)
