"""Write down the API as it is now: `make api-client`."""

import json
from typing import Any

from django.core.management.base import BaseCommand

from config.api_client import DOCUMENT, REQUESTS, requests
from config.api_document import document


class Command(BaseCommand):
    help = "Write docs/openapi.json, and docs/api.http with every request of it."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        made = document()
        DOCUMENT.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n")
        REQUESTS.write_text(requests(made))
        self.stdout.write(f"{len(made['paths'])} addresses written to {DOCUMENT.parent}.")
