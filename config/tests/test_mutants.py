"""The patches that break guards: they apply, their tests exist, their table is complete."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from mutants import PROJECT, Mutant, all_mutants

MUTANTS = all_mutants()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_patch_applies_to_the_code_as_it_is(mutant: Mutant) -> None:
    done = subprocess.run(
        ["git", "apply", "--check", str(mutant.path)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_its_test_is_one_that_make_test_runs(mutant: Mutant) -> None:
    path, name = mutant.test.split("[")[0].split("::")

    tree = ast.parse((PROJECT / path).read_text())

    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert name in functions
    assert Path(path).parts[0] in {
        *("accounts", "shop", "cart", "orders", "payments", "backoffice", "config")
    }


def test_the_table_names_every_patch_with_its_guard_and_test() -> None:
    rows = re.findall(
        r"^\| `(.+)` \| (.+) \| `(.+)` \|$", (PROJECT / "docs/mutants.md").read_text(), re.M
    )

    assert rows == [(mutant.name, mutant.guard, mutant.test) for mutant in MUTANTS]
