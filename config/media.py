"""Uploaded pictures, where they lie on this machine; a bucket has an address of its own."""

from pathlib import Path

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.static import serve

from shop.pictures import LASTING_NAME

# All that is shown as what it is. Whatever else lies there is handed out as a file to keep, so that
# no upload ever runs as a page of the shop.
_TYPES = {
    ".avif": "image/avif",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}
_A_YEAR = 31_536_000


def media(request: HttpRequest, path: str) -> HttpResponseBase:
    """Serve a file of MEDIA_ROOT; for good where its name never stands for other content."""
    answer = serve(request, path, document_root=str(settings.MEDIA_ROOT))
    kind = _TYPES.get(Path(path).suffix.lower())
    answer.headers["Content-Type"] = kind or "application/octet-stream"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    if not kind:
        answer.headers["Content-Disposition"] = "attachment"
    if LASTING_NAME.fullmatch(path):
        answer.headers["Cache-Control"] = f"public, max-age={_A_YEAR}, immutable"
    else:
        answer.headers["Cache-Control"] = "public, max-age=600"
    return answer
