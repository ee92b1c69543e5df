"""Pages about the API: its document to read and try out, and what its errors mean."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from api.problems import Code


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Show the OpenAPI document, from files of our own."""
    return render(request, "api/docs.html")


@require_safe
def problems(request: HttpRequest) -> HttpResponse:
    """Explain each code that the API may answer with; the `type` of a problem leads here."""
    return render(request, "api/problems.html", {"codes": list(Code)})
