"""The sandbox's clock: real time moved by an offset in a file, which the shop reads too."""

import os
import time
from pathlib import Path


class Clock:
    """Whole seconds since 1970, moved by the number in `offset_file` (none or empty: not moved)."""

    def __init__(self, offset_file: Path | None) -> None:
        self._offset_file = offset_file

    @property
    def is_movable(self) -> bool:
        return self._offset_file is not None

    def now(self) -> int:
        return int(self.exact())

    def exact(self) -> float:
        return time.time() + self._offset()

    def advance(self, seconds: int) -> None:
        """Move the clock for everybody who reads the file; raises ValueError without a file."""
        if self._offset_file is None:
            raise ValueError("CLOCK_OFFSET_FILE is not set")
        moved = self._offset_file.with_suffix(".new")
        moved.write_text(str(self._offset() + seconds))
        os.replace(moved, self._offset_file)  # a reader never sees half a number

    def _offset(self) -> int:
        if self._offset_file is None:
            return 0
        try:
            return int(self._offset_file.read_text() or 0)
        except FileNotFoundError:
            return 0
