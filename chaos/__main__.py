"""`make chaos`: CHAOS_SECONDS of load and bad weather with SEED, then rest, then the verdict."""

import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from chaos import rest
from chaos.shoppers import Shoppers
from chaos.town import HOST, PROJECT, Town, free_port
from chaos.weather import Weather
from config import embedded_postgres
from config.demo import DemoError, say

# Short, so that what was killed or refused is tried again within the run.
QUICK = {
    "WORKER_POLL_SECONDS": "1",
    "WORKER_HEARTBEAT_SECONDS": "1",
    "WORKER_STALLED_SECONDS": "6",
    "RETRY_FIRST_SECONDS": "1",
    "RETRY_LONGEST_SECONDS": "8",
}
_REPORT_EVERY = 30.0


def main() -> int:
    """Print the run as it goes, its counts and the verdict; 0 when all agree."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    seconds = int(os.environ.get("CHAOS_SECONDS") or 60)
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1_000_000))
    say(f"Chaos of {seconds} s with SEED={seed}")
    directory = Path(tempfile.mkdtemp(prefix="shop-chaos-"))
    # As root PostgreSQL runs as another user, who has to enter.
    directory.chmod(0o711)
    status = 1
    try:
        with ExitStack() as stack:
            status = run(stack, directory, seconds, seed)
    except KeyboardInterrupt:
        status = 130
    except (DemoError, rest.NoRest) as error:
        say(str(error))
    finally:
        if status == 1:
            # The same seed does not bring the same moments again.
            say(f"Kept to be looked into: {directory}")
        else:
            embedded_postgres.remove(directory)
            shutil.rmtree(directory)
    return status


def run(stack: ExitStack, directory: Path, seconds: int, seed: int) -> int:
    """Set the town up, let it be stormy, calm it down; return what the judges say."""
    ports = {name: free_port() for name in ("sandbox", "front", "back")}
    environment = _environment(
        stack.enter_context(embedded_postgres.server(directory)), directory, ports
    )
    town = Town(environment, directory, ports, seed)
    stack.callback(town.close)
    town.open()
    shoppers = Shoppers(town, seed)
    weather = Weather(town, seed)
    with shoppers.at_large(), weather.changing():
        _watch(town, shoppers, seconds)
    say(f"{shoppers.told()}; {weather.told()}")
    say(f"killed by SIGKILL: {town.told()}")
    if not (shoppers.orders and weather.struck and town.kills):
        raise rest.NoRest("There was no chaos to speak of: no orders, faults or kills.")
    town.calm()
    failed_events = rest.come_to_rest(town, weather)
    return _judged(town, {**shoppers.shocks, **town.accidents, "events failed": failed_events})


def _watch(town: Town, shoppers: Shoppers, seconds: int) -> None:
    until = time.monotonic() + seconds
    next_report = time.monotonic() + _REPORT_EVERY
    while time.monotonic() < until:
        town.trouble()
        time.sleep(0.5)
        if time.monotonic() > next_report:
            next_report += _REPORT_EVERY
            say(f"{until - time.monotonic():5.0f} s left: {shoppers.told()}, {town.kills} kills")


def _judged(town: Town, wrongs: Mapping[str, int]) -> int:
    """Have the shop audit itself, and a stranger compare both sides' books; count the wrongs."""
    wrongs = {what: count for what, count in wrongs.items() if count}
    verdicts = [f"{count} {what}: WRONG" for what, count in sorted(wrongs.items())]
    for name, command in (
        ("audit", ["manage.py", "audit", "--stripe"]),
        ("books", [str(PROJECT / "chaos" / "books.py"), town.sandbox, town.database]),
    ):
        say(f"\n{name}:")
        done = subprocess.run(
            [sys.executable, *command], cwd=PROJECT, env=town.environment, check=False
        )
        verdicts.append(f"{name} {'agrees' if done.returncode == 0 else 'DISAGREES'}")
    say(f"\nSEED={town.seed}: {', '.join(verdicts)}")
    return int(bool(wrongs) or any("DISAGREES" in verdict for verdict in verdicts))


def _environment(database_url: str, directory: Path, ports: dict[str, int]) -> dict[str, str]:
    key = f"sk_test_{secrets.token_hex(12)}"
    return (
        dict(os.environ)
        | QUICK
        | {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "TESTING": "1",
            "DEBUG": "0",
            "LOG_LEVEL": "WARNING",
            "DATABASE_URL": database_url,
            "SECRET_KEY": secrets.token_urlsafe(48),
            "SITE_URL": f"http://{HOST}:{ports['front']}",
            "STRIPE_API_HOST": f"http://{HOST}:{ports['sandbox']}",
            "STRIPE_SECRET_KEY": key,
            "STRIPE_PUBLISHABLE_KEY": key.replace("sk_", "pk_", 1),
            "STRIPE_WEBHOOK_SECRET": f"whsec_{secrets.token_hex(16)}",
            "STRIPE_WEBHOOK_BACKOFF": "1",
            "PAYMENT_METHODS": "card,sepa_debit",
            "CLOCK_OFFSET_FILE": str(directory / "clock-offset"),
            "MEDIA_ROOT": str(directory / "media"),
            "EMAIL_URL": "dummymail://",
            # Each visitor comes from an address of his own.
            "TRUSTED_PROXY_COUNT": "1",
            "PENDING_LIMIT_PER_BUYER": "1000",
            "PENDING_LIMIT_PER_ADDRESS": "1000",
            "PYTHONUNBUFFERED": "1",
        }
    )


if __name__ == "__main__":
    sys.exit(main())
