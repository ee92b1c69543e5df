"""The API as its clients meet it: docs/api.md's walk as it stands there, and a client in Node."""

import os
import re
import subprocess
from collections.abc import Callable

import pytest

from e2e.demo import PROJECT, Demo

_SECONDS = 180
Run = Callable[..., str]
_FRESH_LIMITS = "from django.core.cache import cache; cache.clear()"


@pytest.fixture
def run(demo: Demo) -> Run:
    """Run a program beside the demo, whose limits nobody has used up."""
    demo.run(_FRESH_LIMITS)

    def run_it(*command: str, script: str = "", **environment: str) -> str:
        done = subprocess.run(
            command,
            input=script,
            env=os.environ | {"SHOP": demo.shop_url, **environment},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run_it


def walk() -> str:
    """Return what docs/api.md shows to be typed, one after the other."""
    page = (PROJECT / "docs/api.md").read_text()
    blocks = re.findall(r"^```bash\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 6
    return "set -euo pipefail\n" + "\n".join(blocks)


def test_the_walk_through_the_main_job_goes_as_it_is_written(run: Run, demo: Demo) -> None:
    said = run("bash", script=walk())

    assert '"phase": "paid"' in said
    assert "\ncanceled\n" in said


def test_a_client_in_another_language_does_it_from_the_document_alone(run: Run, demo: Demo) -> None:
    said = run(
        "node",
        str(PROJECT / "e2e/api_client.mjs"),
        STRIPE=demo.sandbox_url,
        STAFF_EMAIL=demo.admin_email,
        STAFF_PASSWORD=demo.admin_password,
    )

    assert said.endswith("refunded, by the document alone.\n")
