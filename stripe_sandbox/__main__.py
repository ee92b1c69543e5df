"""`python -m stripe_sandbox`: run the sandbox until SIGTERM or Ctrl-C.

From the environment:
STRIPE_SECRET_KEY       the key that the API accepts
STRIPE_PUBLISHABLE_KEY  the key with which a buyer, knowing its client secret, confirms an intent
STRIPE_WEBHOOK_URL      opens a webhook endpoint there; others are opened through the API
STRIPE_WEBHOOK_SECRET   signs what is posted to it
STRIPE_WEBHOOK_BACKOFF  seconds before the first retry, doubling up to five minutes (default 2)
CLOCK_OFFSET_FILE       holds seconds to add to the clock, for tests
"""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

import django

from stripe_sandbox.server import Server
from stripe_sandbox.twin import Twin


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stripe_sandbox")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001, help="0 picks a free one")
    parser.add_argument("--state", type=Path, default=Path("var/stripe_sandbox.sqlite3"))
    parser.add_argument("--seed", type=int, help="makes ids, orders and faults repeatable")
    options = parser.parse_args()
    # The shop's own settings may be in the environment that we were started with.
    os.environ["DJANGO_SETTINGS_MODULE"] = "stripe_sandbox.settings"
    django.setup(set_prefix=False)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    # A shell that starts this in the background has it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        run(options.host, options.port, options.state, options.seed)
    except KeyError as error:
        sys.exit(f"{error.args[0]} is not set")
    except KeyboardInterrupt:
        pass


def run(host: str, port: int, state: Path, seed: int | None) -> None:
    twin = Twin.from_environment(state)
    twin.repeat(seed)
    background = threading.Thread(target=twin.work, daemon=True)
    with Server(host, port, twin) as server:
        print(f"Stripe sandbox on http://{host}:{server.server_port}", flush=True)
        background.start()
        # Threads that are still at work end with the process: every change is one transaction.
        server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
