"""The part of `make demo` that needs Django: it fills the database, in a process of its own."""

import io
import os
import sys
from pathlib import Path

import django
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command

ADMIN_EMAIL = "admin@example.com"


def main() -> None:
    """Bring the database up to date and fill it; safe to repeat.

    The webhook's address goes to stdout, all else to stderr.
    """
    django.setup()
    tell = sys.stderr
    print(
        "Preparing the database; dj-stripe's tables take half a minute the first time ",
        end="",
        file=tell,
        flush=True,
    )
    call_command("migrate", interactive=False, stdout=Dots())
    print("\nFilling the shelves ...", file=tell, flush=True)
    call_command("seed", stdout=tell)
    if _static_files_are_stale():
        print("Collecting static files ...", file=tell, flush=True)
        call_command("collectstatic", interactive=False, verbosity=0)
    _ensure_admin(os.environ["ADMIN_PASSWORD"])
    call_command("provision_webhook", stdout=sys.stdout)


class Dots(io.StringIO):
    """Output of `migrate`, shown as one dot per migration."""

    def write(self, text: str) -> int:
        if "Applying" in text:
            print(".", end="", file=sys.stderr, flush=True)
        return len(text)


def _static_files_are_stale() -> bool:
    """Whether a source, or a library with files of its own, is newer than what was collected."""
    manifest = Path(settings.STATIC_ROOT) / "staticfiles.json"
    if not manifest.exists():
        return True
    sources = [settings.BASE_DIR / "requirements.txt", *(settings.BASE_DIR / "static").rglob("*")]
    return max(path.stat().st_mtime for path in sources) > manifest.stat().st_mtime


def _ensure_admin(password: str) -> None:
    """Let the printed login work, also on a database that knew another demo."""
    users = get_user_model().objects
    admin = users.filter(email__iexact=ADMIN_EMAIL).first()
    if admin is None:
        users.create_superuser(email=ADMIN_EMAIL, password=password)
    elif not admin.check_password(password):
        admin.set_password(password)
        admin.save()


if __name__ == "__main__":
    main()
