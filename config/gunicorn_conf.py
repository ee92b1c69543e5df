"""How gunicorn serves the shop: `manage.py web` runs it with this.

gunicorn reads WEB_CONCURRENCY (processes), PORT (bound on every address; without it 127.0.0.1:8000)
and GUNICORN_CMD_ARGS (wins over all that stands here) from the environment by itself.
"""

import os
from typing import Any

from config import logs
from config.gunicorn_worker import (
    Worker,
    hold_sigterm_while_forking,
    let_newcomers_in,
    turn_newcomers_away,
)

worker_class = Worker
# Two, so that one that is lost is not the shop; more than a core or two each gains nothing.
workers = int(os.environ.get("WEB_CONCURRENCY") or 2)
# Most of a request is waiting, for the database or Stripe. DATABASE_POOL_SIZE is one more at least.
threads = 8
# Clients in one process at once, idle ones too: half of the usual limit of open files.
worker_connections = 500
backlog = 500

# A process that does not stir for so long is ended. A request may take longer: it has a thread.
timeout = 30
# The longest request is an order with a slow Stripe, some 20 seconds. Whoever stops us must wait
# longer than this before killing (`stop_grace_period` in compose.yaml).
graceful_timeout = 30
# The side that closes an idle connection first must be the proxy, else a request may come just
# then. Caddy keeps one for 120 seconds; Traefik 90, nginx and Amazon's load balancer 60.
keepalive = 125

# What a browser, a proxy and Stripe send is far below; longer is answered 414 and 431.
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190
# Django alone decides, by TRUSTED_PROXY_COUNT, which proxy is believed.
forwarded_allow_ips = ""

# Its heartbeat file must not wait for a disk, and the rest of the file system may be read-only.
worker_tmp_dir = "/dev/shm"  # noqa: S108
control_socket_disable = True
# The shop's own log has every request. What gunicorn says itself goes to stderr.
accesslog = None
# Django sets the same up in the processes that serve; this is for the one that watches them.
logconfig_dict = logs.settings(
    style=os.environ.get("LOG_FORMAT") or "json", level=os.environ.get("LOG_LEVEL") or "INFO"
)
# Not here, on purpose: preload_app (connections must not be shared by a fork), and max_requests
# (nothing leaks that is known, and every new process costs seconds of work).


def on_starting(server: Any) -> None:
    hold_sigterm_while_forking()


def when_ready(server: Any) -> None:
    """At SIGTERM, let nobody new in before the processes are told to stop.

    Only here is it known that all of them stop. At SIGHUP or after a crash new ones stand at the
    same door, which must stay open. So it must where it is not ours to close: systemd holds it, or
    a gunicorn that takes this one's place.
    """
    let_newcomers_in(server.LISTENERS)
    stop = server.handle_term

    def handle_term() -> None:
        if not server.systemd and not server.reexec_pid:
            turn_newcomers_away(server.LISTENERS)
        stop()

    server.handle_term = handle_term
