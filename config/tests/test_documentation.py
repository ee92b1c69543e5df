"""What the documents say of the code is so: links, paths, variables, commands, messages."""

import re
import shlex
from itertools import chain
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from config import variables

PROJECT = Path(__file__).resolve().parents[2]
PAGES = sorted([PROJECT / "README.md", PROJECT / "CHANGELOG.md", *PROJECT.glob("docs/**/*.md")])
MAKEFILE = (PROJECT / "Makefile").read_text()
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def named(page: Path) -> str:
    return str(page.relative_to(PROJECT))


def prose(page: Path) -> str:
    """Return the page without what stands in fences."""
    return FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of the page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def shown(page: Path) -> list[str]:
    """Return the commands that the page shows, a continued line as one."""
    blocks = (text for kind, text in FENCE.findall(page.read_text()) if kind == "console")
    lines = chain.from_iterable(text.replace("\\\n", " ").splitlines() for text in blocks)
    return [line.strip() for line in lines if line.strip()]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        is_there = target.exists() and (not anchor or anchor in anchors(target))
        broken += [] if is_there else [link]

    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_files_that_are_named_exist(page: Path) -> None:
    apps = (
        "accounts|api|backoffice|bench|cart|config|deploy|docs|e2e|orders|payments|shop|static"
        "|stripe_sandbox"
    )
    paths = re.findall(rf"`((?:{apps}|templates)/[\w./-]+)`", prose(page))

    assert [path for path in paths if not (PROJECT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_that_are_named_exist(page: Path) -> None:
    text = page.read_text()
    # What stands between backticks; two commands may follow each other there.
    targets = {
        name
        for code in re.findall(r"`([^`\n]+)`", prose(page))
        for name in re.findall(r"(?:^|&& )make ([a-z0-9-]+)", code)
    }
    commands = set(re.findall(r"manage\.py ([a-z_]+)", text)) - {"help"}

    assert [name for name in targets if f"\n{name}:" not in MAKEFILE] == []
    assert commands - set(get_commands()) == set()


@pytest.mark.parametrize(
    ("page", "command"),
    [(page, command) for page in PAGES for command in shown(page) if "manage.py" in command],
    ids=str,
)
def test_commands_that_are_shown_take_what_they_are_given(page: Path, command: str) -> None:
    name, *arguments = shlex.split(command.split("manage.py", 1)[1], comments=True)

    parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)

    # A parser that refuses ends the process.
    parser.parse_args(arguments)


def test_every_target_of_make_is_documented() -> None:
    targets = re.findall(r"^([a-z0-9]+):.*## ", MAKEFILE, re.MULTILINE)
    page = (PROJECT / "docs/developing.md").read_text()

    assert [name for name in targets if f"`make {name}" not in page and name != "help"] == []


def test_configuration_is_as_the_settings_read_it() -> None:
    # `make format` writes it anew.
    assert variables.PAGE.read_text() == variables.page()


def test_every_variable_is_explained() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", variables.page(), re.MULTILINE)

    assert [name for name, words in rows if not words.strip()] == []


def test_example_shows_the_defaults_of_the_settings() -> None:
    read = variables.read_settings(variables.SETTINGS.read_text())
    example = re.findall(r"^#([A-Z_]+)=(.*)$", variables.EXAMPLE.read_text(), re.MULTILINE)

    assert dict(example) == {name: variable.default or "" for name, variable in read.items()}


def test_messages_in_troubleshooting_are_the_programs_own() -> None:
    page = (PROJECT / "docs/troubleshooting.md").read_text()
    sources = "\n".join(
        path.read_text()
        for path in chain(PROJECT.glob("*/**/*.py"), PROJECT.glob("templates/**/*.html"))
        if not {".venv", "var", "tests"} & set(path.relative_to(PROJECT).parts)
    )
    flat = re.sub(r'"\s*\n?\s*f?"', "", sources + MAKEFILE)

    # A heading quotes the part of a message that is always the same; "..." stands for the rest.
    quoted = re.findall(r"^### `([^`]+)`$", page, re.MULTILINE)
    parts = [part.strip() for message in quoted for part in message.split("...") if part.strip()]

    assert len(quoted) > 10
    assert [part for part in parts if part not in flat] == []
