"""Waiting for what another process or thread brings about."""

import time
from collections.abc import Callable


def wait_until(is_so: Callable[[], bool], *, seconds: float = 60) -> None:
    """Ask again until it is so."""
    give_up_at = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < give_up_at, "waited in vain"
        time.sleep(0.05)
