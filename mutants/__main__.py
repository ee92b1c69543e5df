"""`make mutants`: break one guard after the other, and see a test turn red for each.

With MUTANT, a part of a name, only those whose name has it.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mutants import PROJECT, Mutant, all_mutants

_LEFT_OUT = (".git", ".venv", "var", "media", "staticfiles", "__pycache__", ".*_cache")
# What the shop's settings take from the environment is the tests' own to decide.
_NOT_OURS = {"DATABASE_URL", "DJANGO_SETTINGS_MODULE", "SECRET_KEY", "SITE_URL", "TESTING"}
# pytest's exit status when a test failed; any other is no verdict.
_KILLED, _SURVIVED = 1, 0


def main() -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    wanted = [m for m in all_mutants() if os.environ.get("MUTANT", "") in m.name]
    with tempfile.TemporaryDirectory(prefix="shop-mutants-") as name:
        # As root PostgreSQL runs as another user, who has to enter.
        Path(name).chmod(0o711)
        tree = Path(name) / "tree"
        shutil.copytree(PROJECT, tree, ignore=shutil.ignore_patterns(*_LEFT_OUT))
        fine = _status(tree, *{mutant.test for mutant in wanted})
        if fine != _SURVIVED:
            print("The tests fail without any mutant: nothing can be said.")
            return 1
        verdicts = [_judged(mutant, tree) for mutant in wanted]
    killed = verdicts.count("killed")
    print(f"{killed} of {len(wanted)} mutants killed.")
    return int(killed != len(wanted))


def _judged(mutant: Mutant, tree: Path) -> str:
    """Break the copy, run the mutant's test, mend the copy; return what came of it."""
    begun = time.monotonic()
    if not _patched(tree, mutant.path):
        verdict = "does not apply"
    else:
        status = _status(tree, mutant.test)
        names = {_KILLED: "killed", _SURVIVED: "SURVIVED"}
        verdict = names.get(status, f"no verdict: pytest ended with {status}")
        _patched(tree, mutant.path, "--reverse")
    print(
        f"{verdict:9} {time.monotonic() - begun:4.0f} s  {mutant.name}: {mutant.test}", flush=True
    )
    return verdict


def _patched(tree: Path, patch: Path, *options: str) -> bool:
    done = subprocess.run(["git", "apply", *options, str(patch)], cwd=tree, check=False)
    return done.returncode == 0


def _status(tree: Path, *tests: str) -> int:
    """Return pytest's exit status for these tests, on the copy."""
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(
        command,
        cwd=tree,
        env=kept | {"PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
