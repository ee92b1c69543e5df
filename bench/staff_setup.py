"""The part of `make bench-staff` that fills a database: tables first, then as much as is asked."""

import json
import sys
from typing import Any

import django
from django.core.management import call_command

from config.demo_setup import Dots


def main(size: dict[str, Any] | None) -> None:
    django.setup()
    tell = sys.stderr
    if size is None:
        print("Making the tables; dj-stripe's take half a minute ", end="", file=tell, flush=True)
        call_command("migrate", interactive=False, stdout=Dots())
        print("\nCollecting static files ...", file=tell)
        call_command("collectstatic", interactive=False, verbosity=0)
    else:
        call_command("seed", **size, stdout=tell)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]) if sys.argv[1:] else None)
