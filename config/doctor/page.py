"""The doctor's page in the admin: its last word, and a button that has it look again."""

from dataclasses import asdict
from typing import Any

from django.contrib import admin
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods

from config.doctor.checklist import CHECKS
from config.doctor.examination import Verdict, Visit, examine
from shop.clock import now

# Who may see to the queue may see to the rest of the machinery.
PERMISSION = "procrastinate.change_procrastinatejob"
_KEY = "doctor"
# Somebody waits for the page, and a proxy in front for 35 seconds.
_PATIENCE_SECONDS = 10


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """Show the last word; POST examines first. Only that asks Stripe or anybody else."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    last = _examined() if request.method == "POST" else cache.get(_KEY)
    context = admin.site.each_context(request) | {"title": "Checkup", "last": last}
    return TemplateResponse(request, "admin/doctor.html", context)


def _examined() -> dict[str, Any]:
    """Examine, and keep what was found for whoever comes later.

    It is shown at once, too: where the cache is at fault, nothing is kept.
    """
    results = list(examine(CHECKS, Visit(patience_seconds=_PATIENCE_SECONDS)))
    last = {
        "at": now(),
        "number": len(results),
        "faults": sum(result.verdict is Verdict.WRONG for result in results),
        "results": [asdict(result) for result in results],
    }
    cache.set(_KEY, last, timeout=None)
    return last
