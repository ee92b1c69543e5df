from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings

from shop.clock import now

SLACK = timedelta(seconds=5)


@pytest.mark.parametrize(("content", "seconds"), [("3600", 3600), ("-60\n", -60), ("", 0)])
def test_clock_is_moved_by_the_offset_in_the_file(
    settings: LazySettings, tmp_path: Path, content: str, seconds: int
) -> None:
    file = tmp_path / "offset"
    file.write_text(content)
    settings.CLOCK_OFFSET_FILE = str(file)

    moved = now() - datetime.now(UTC)

    assert abs(moved - timedelta(seconds=seconds)) < SLACK


def test_missing_file_and_no_file_leave_the_clock_alone(
    settings: LazySettings, tmp_path: Path
) -> None:
    for file in (str(tmp_path / "none"), ""):
        settings.CLOCK_OFFSET_FILE = file

        assert abs(now() - datetime.now(UTC)) < SLACK
