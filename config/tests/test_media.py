"""How uploaded pictures leave the shop."""

from pathlib import Path

import pytest
from django.conf import LazySettings
from django.test import Client

# The page for what is not found shows the shelves.
pytestmark = pytest.mark.django_db

ORIGINAL = f"products/{'0a' * 16}.jpg"
RENDITION = "products/12/384-0123456789abcdef.avif"
FOR_GOOD = "public, max-age=31536000, immutable"
FOR_TEN_MINUTES = "public, max-age=600"


@pytest.fixture(autouse=True)
def media(settings: LazySettings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    (tmp_path / "products" / "12").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "kind", "lasts"),
    [
        (ORIGINAL, "image/jpeg", FOR_GOOD),
        (RENDITION, "image/avif", FOR_GOOD),
        (RENDITION.replace("avif", "webp"), "image/webp", FOR_GOOD),
        ("products/emma.webp", "image/webp", FOR_TEN_MINUTES),
        ("products/EMMA.PNG", "image/png", FOR_TEN_MINUTES),
        ("products/12/384-emma.avif", "image/avif", FOR_TEN_MINUTES),
    ],
)
def test_pictures_are_kept_for_good_where_their_name_never_changes_its_meaning(
    client: Client, media: Path, name: str, kind: str, lasts: str
) -> None:
    (media / name).write_bytes(b"picture")

    answer = client.get(f"/media/{name}")

    assert answer.getvalue() == b"picture"
    assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == (kind, lasts)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not {"Set-Cookie", "Vary"} & set(answer.headers)


@pytest.mark.parametrize("name", ["x.svg", "x.html", "x.js", "x.pdf", "x.svgz", "x", "x.png.html"])
def test_what_is_no_picture_is_never_shown_as_a_page(
    client: Client, media: Path, name: str
) -> None:
    (media / name).write_text("<svg onload=alert(1)>")

    answer = client.get(f"/media/{name}")

    answer.close()
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == "attachment"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["products/none.webp", "products/", "", "../settings.py", "%2e%2e/settings.py", "%00"]
)
def test_nothing_else_is_found(client: Client, path: str) -> None:
    assert client.get(f"/media/{path}").status_code in (400, 404)


def test_a_picture_that_did_not_change_is_not_sent_again(client: Client, media: Path) -> None:
    (media / "emma.png").write_bytes(b"picture")
    first = client.get("/media/emma.png")
    first.close()

    again = client.get(
        "/media/emma.png", headers={"If-Modified-Since": first.headers["Last-Modified"]}
    )

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["Cache-Control"] == FOR_TEN_MINUTES
