"""How many statements each target's requests take, and how long the database is at them.

Reads a list of targets from stdin; writes a list of [statements, milliseconds], medians, to stdout.
"""

import json
import sys
from statistics import median

import django
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench.targets import Request, Target, load


def main() -> None:
    django.setup()
    print(json.dumps([_measured(target) for target in load(sys.stdin.read())]))


def _measured(target: Target) -> tuple[float, float]:
    # The first time everything is loaded and compiled.
    _captured(target.requests[0])
    captured = [_captured(request) for request in target.requests]
    return median(count for count, _ in captured), median(spent for _, spent in captured)


def _captured(request: Request) -> tuple[int, float]:
    client = Client(SERVER_NAME="127.0.0.1", headers={"cookie": request.cookie})
    with CaptureQueriesContext(connection) as queries:
        if request.body:
            client.post(request.path, request.body, "application/x-www-form-urlencoded")
        else:
            client.get(request.path)
    return len(queries), 1_000 * sum(float(query["time"]) for query in queries)


if __name__ == "__main__":
    main()
