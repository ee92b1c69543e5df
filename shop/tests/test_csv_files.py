"""CSV files to download, to the byte."""

from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

from shop import csv_files


def test_a_file_is_for_spreadsheets() -> None:
    at = datetime(2026, 1, 5, 1, 30, 0, 999, timezone(timedelta(hours=2)))
    key = UUID("00000000-0000-0000-0000-000000000001")
    rows: list[list[Any]] = [
        ['Z\N{LATIN SMALL LETTER O WITH DIAERESIS}e, "Jo"', -3, None, at],
        ["-1", csv_files.amount(-1_05, "EUR"), key, csv_files.amount(700, "JPY")],
        ["", csv_files.amount(5, "THB"), "two\nlines", 0],
    ]

    answer = csv_files.download("x-1.csv", ["name", "figure", "key", "last"], rows)

    assert answer.headers["Content-Disposition"] == 'attachment; filename="x-1.csv"'
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.getvalue() == (
        b"\xef\xbb\xbfname,figure,key,last\r\n"
        b'"Z\xc3\xb6e, ""Jo""",-3,,2026-01-04T23:30:00Z\r\n'
        b"'-1,-1.05,00000000-0000-0000-0000-000000000001,700\r\n"
        b',,"two\nlines",0\r\n'
    )
