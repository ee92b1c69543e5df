import time

import requests

from e2e.demo import Demo

SECOND_START_SECONDS = 60


def test_sigterm_leaves_nothing_behind_and_the_next_start_is_quick(demo: Demo) -> None:
    parts = " ".join(demo.processes().values())
    for name in ("config.demo", "gunicorn", "manage.py worker", "stripe_sandbox", "postgres -D"):
        assert name in parts
    assert demo.busy_ports() == [demo.port, demo.port + 1]

    status, said = demo.stop()

    assert status == 0
    assert said == (
        "\nStopping ...\n"
        "Stopped. `make demo` goes on where this ended, `make clean` forgets it all.\n"
    )
    assert demo.processes() == {}
    assert demo.busy_ports() == []

    started_at = time.monotonic()
    demo.start()

    assert time.monotonic() - started_at < SECOND_START_SECONDS
    assert requests.get(demo.shop_url, timeout=10).status_code == 200
