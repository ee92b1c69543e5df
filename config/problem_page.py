"""The page to which the `type` of every problem of the API leads."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from api.problems import Code


@require_safe
def problem_page(request: HttpRequest) -> HttpResponse:
    """Explain each code that the API may answer with."""
    return render(request, "api/problems.html", {"codes": list(Code)})
