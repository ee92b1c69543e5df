"""`python -m config.variables`: write docs/configuration.md, the table of environment variables.

Type and default are read off config/settings.py, the words and their order off .env.example.
"""

import ast
import re
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parent.parent
SETTINGS = PROJECT / "config/settings.py"
EXAMPLE = PROJECT / ".env.example"
PAGE = PROJECT / "docs/configuration.md"
_HEAD = """\
# Configuration

By environment, or by a file `.env` beside `manage.py`; the environment wins. Production is the
default: what is unsafe must be asked for, and the shop does not start without what is required.
Lists are separated by commas.

What stands in an address (`DATABASE_URL`, `REDIS_URL`, `EMAIL_URL`) as a user or a password must be
percent-encoded (`@` is `%40`), or be made of letters and digits: `openssl rand -hex 24`.

Four more are read outside the settings, so they are not in these tables: `PORT`, `WEB_CONCURRENCY`
(2) and `GUNICORN_CMD_ARGS` by gunicorn, with `config/gunicorn_conf.py`, and `ADMIN_PASSWORD` by
`manage.py make_admin`. compose has [its own](deployment.md#composes-own-variables).

This page is written by `make format` from `config/settings.py` and `.env.example`.
"""
_TYPES = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "bool": "True or False",
    "list": "list",
    "email": "address",
}


class Variable(NamedTuple):
    """A variable as the settings read it: type in words; `default` is None where it is required."""

    type: str
    default: str | None


def read_settings(source: str) -> dict[str, Variable]:
    """Return the variables that `source` reads by `env.<type>("NAME", ...)` and `_required`."""
    found = {}
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name("env"), attr=type_),
                args=[ast.Constant(str(name))],
                keywords=keywords,
            ):
                default = next((item.value for item in keywords if item.arg == "default"), None)
                found[name] = Variable(_TYPES[type_], "" if default is None else _as_typed(default))
            case ast.Call(func=ast.Name("_required"), args=[ast.Constant(str(name))]):
                found[name] = Variable(_TYPES["str"], None)
    return found


def _as_typed(default: ast.expr) -> str:
    """Return a default as one would type it into the environment."""
    value = ast.literal_eval(default)
    return ",".join(value) if isinstance(value, list) else str(value)


def page() -> str:
    """Return the whole page. Raises KeyError for a variable that the settings do not read."""
    variables = read_settings(SETTINGS.read_text())
    lines, words = [_HEAD], list[str]()
    # What stands before the first empty line says what the file is.
    _, *blocks = EXAMPLE.read_text().strip().split("\n\n")
    for block in blocks:
        if "=" not in block:
            lines += [f"## {block.removeprefix('# ')}", ""]
            lines += ["| variable | | default | what it is |", "| --- | --- | --- | --- |"]
            continue
        for line in block.splitlines():
            if named := re.match(r"#([A-Z_]+)=", line):
                lines.append(_row(named[1], variables[named[1]], " ".join(words)))
                words = []
            else:
                words.append(line.removeprefix("# "))
        lines.append("")
    return "\n".join(lines)


def _row(name: str, variable: Variable, words: str) -> str:
    default = (
        "*required*" if variable.default is None else variable.default and f"`{variable.default}`"
    )
    return f"| `{name}` | {variable.type} | {default} | {words} |"


if __name__ == "__main__":
    PAGE.write_text(page())
