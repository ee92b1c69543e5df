"""Dockerfile and compose.yaml agree with the shop; no engine is needed to tell."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from config import gunicorn_conf

PROJECT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name for name, service in SERVICES.items() if "build" in service}
# What others than the settings read.
NOT_SETTINGS = {"COMPOSE_PROFILES", "POSTGRES_PASSWORD", "SHOP_IMAGE", "WEB_ADDRESS"}


def documented() -> set[str]:
    """Return the variables of .env.example."""
    example = (PROJECT / ".env.example").read_text()
    return set(re.findall(r"^#([A-Z_]+)=", example, re.MULTILINE))


def new_env(directory: Path) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Run the script that writes .env, as if in a checkout of its own."""
    script = directory / "deploy" / "new-env.sh"
    script.parent.mkdir(exist_ok=True)
    script.write_text((PROJECT / "deploy/new-env.sh").read_text())
    done = subprocess.run(["sh", script], capture_output=True, text=True, check=False)
    return done, directory / ".env"


def test_compose_asks_for_no_variable_that_nobody_knows() -> None:
    text = (PROJECT / "compose.yaml").read_text()
    asked = set(re.findall(r"\$\{([A-Z_]+)", text))
    given = {name for service in OURS for name in SERVICES[service]["environment"]}

    assert asked <= documented() | NOT_SETTINGS
    assert given <= documented()


def test_a_new_env_is_all_that_compose_needs(tmp_path: Path) -> None:
    done, path = new_env(tmp_path)

    written = dict(re.findall(r"^([A-Z_]+)=(.+)$", path.read_text(), re.MULTILINE))
    required = set(re.findall(r"\$\{([A-Z_]+):\?", (PROJECT / "compose.yaml").read_text()))
    assert done.returncode == 0
    assert required <= written.keys()
    assert written.keys() <= documented() | NOT_SETTINGS
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    environment = written | {"PATH": os.environ["PATH"], "DATABASE_URL": "postgres://db/shop"}
    subprocess.run(
        [sys.executable, "-c", "import config.settings"],
        cwd=PROJECT,
        env=environment,
        check=True,
    )


def test_a_new_env_has_secrets_of_its_own_and_never_replaces_one(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    _done, path = new_env(tmp_path)
    _done, other = new_env(tmp_path / "other")
    before = path.read_text()

    done, path = new_env(tmp_path)

    assert done.returncode == 1
    assert path.read_text() == before
    lines = zip(before.splitlines(), other.read_text().splitlines(), strict=True)
    changed = {line.split("=")[0] for line, its_line in lines if line != its_line}
    assert changed == {"SECRET_KEY", "POSTGRES_PASSWORD", "STRIPE_SECRET_KEY"}


def test_addresses_in_a_new_env_lead_to_the_containers_and_to_their_ports(tmp_path: Path) -> None:
    _done, path = new_env(tmp_path)
    written = dict(re.findall(r"^([A-Z_]+)=(.+)$", path.read_text(), re.MULTILINE))

    for setting, service in (("SITE_URL", "web"), ("STRIPE_API_HOST", "sandbox")):
        name, port = re.fullmatch(r"http://(.+):(\d+)", written[setting]).groups()  # type: ignore[union-attr]
        assert name in SERVICES[service]["networks"]["default"]["aliases"]
        # The same port on both sides, or one of browser and container would not find it.
        assert [rule.split(":")[-2:] for rule in SERVICES[service]["ports"]] == [[port, port]]


def test_nothing_listens_beyond_this_machine_unless_asked() -> None:
    rules = [rule for service in SERVICES.values() for rule in service.get("ports", [])]

    assert rules == ["${WEB_ADDRESS:-127.0.0.1}:8000:8000", "127.0.0.1:8001:8001"]


def test_processes_have_longer_to_end_than_they_take() -> None:
    for service in ("web", "worker"):
        grace = SERVICES[service]["stop_grace_period"]
        assert int(grace.removesuffix("s")) > gunicorn_conf.graceful_timeout


@pytest.mark.parametrize("service", ["web", "worker"])
def test_migrations_are_there_before_a_process_starts(service: str) -> None:
    assert SERVICES[service]["depends_on"]["migrate"] == {
        "condition": "service_completed_successfully"
    }
    assert SERVICES["migrate"]["command"] == ["python", "manage.py", "migrate"]


def test_no_image_is_the_latest() -> None:
    tags = [service["image"].rpartition(":")[2] for service in SERVICES.values()]
    bases = re.findall(r"^FROM \S+:(\S+)", (PROJECT / "Dockerfile").read_text(), re.MULTILINE)

    assert "latest" not in tags
    assert bases == ["3.11-slim-bookworm"] * 2
