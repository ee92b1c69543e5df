"""`manage.py make_renditions`: have old pictures made smaller, too."""

from typing import Any

from django.core.management.base import BaseCommand

from shop import renditions
from shop.models import ProductImage


class Command(BaseCommand):
    help = (
        "Queue the making of renditions for every picture without; the worker makes them. "
        "Safe to repeat: run it again to see how far the worker is."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        queued = renditions.queue_missing()
        every = ProductImage.objects.count()
        lacking = ProductImage.objects.filter(renditions=[]).count()
        self.stdout.write(f"{queued} pictures queued; {every - lacking} of {every} are done.")
