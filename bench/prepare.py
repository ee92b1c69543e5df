"""The part of the benchmark that needs Django: it fills an empty database and makes the visitors.

The targets go to stdout, all else to stderr.
"""

import sys
from importlib import import_module

import django
from django.core.management import call_command

from bench.targets import dump
from config.demo_setup import Dots

PRODUCTS = 1_000


def main() -> None:
    django.setup()
    tell = sys.stderr
    print("Making the tables; dj-stripe's take half a minute ", end="", file=tell, flush=True)
    call_command("migrate", interactive=False, stdout=Dots())
    print("", file=tell)
    call_command("seed", products=PRODUCTS, stdout=tell)
    print("Collecting static files ...", file=tell, flush=True)
    call_command("collectstatic", interactive=False, verbosity=0)
    # They need the models, which can be imported only now.
    visitors = import_module("bench.visitors")
    visitors.pretend_renditions()
    print(dump(visitors.targets()))


if __name__ == "__main__":
    main()
