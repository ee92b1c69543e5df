"""`manage.py seed`: books for an empty shop, and a past with as many orders as one likes."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backoffice import seeding
from shop import sample_books
from shop.clock import now


class Command(BaseCommand):
    help = "Put the sample books on the shelves. Safe to repeat: what is there is left as it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--products",
            type=int,
            default=0,
            metavar="N",
            help="go on with invented books until there are N, such as 1000 to measure with",
        )
        parser.add_argument(
            "--orders",
            type=int,
            default=0,
            metavar="N",
            help="invent orders of the past two years until there are N, such as 1000000; "
            "only where the Stripe sandbox is",
        )

    def handle(self, *, products: int, orders: int, **options: Any) -> None:
        at = now()
        try:
            if orders:
                seeding.require_sandbox()
            sample_books.fill_shelves(wanted=products, at=at, tell=self._tell)
            if orders:
                seeding.invent_orders(wanted=orders, at=at, tell=self._tell)
        except (sample_books.TooManyBooks, seeding.NotHere) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt as stop:
            raise CommandError(
                "Stopped between two batches; the same command goes on from here.", returncode=130
            ) from stop

    def _tell(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
