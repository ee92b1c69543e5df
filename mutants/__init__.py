"""Patches that each take one guard away, and the tests that notice.

A patch begins with two lines of its own, `Guard:` what it takes away, and `Test:` the test that
must fail then; the rest is a unified diff.
"""

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent


@dataclass(frozen=True)
class Mutant:
    """A patch; `test` is the one that kills it, as pytest names it."""

    path: Path
    guard: str
    test: str

    @property
    def name(self) -> str:
        return self.path.stem


def all_mutants() -> list[Mutant]:
    """Read every patch of this directory, by name."""
    return [_read(path) for path in sorted(HERE.glob("*.patch"))]


def _read(path: Path) -> Mutant:
    head = dict(
        line.split(": ", 1)
        for line in path.read_text().splitlines()
        if line.startswith(("Guard: ", "Test: "))
    )
    return Mutant(path, head["Guard"], head["Test"])
