"""`.env.example` and the settings name the same variables."""

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def test_example_lists_every_variable_that_settings_read() -> None:
    settings = (PROJECT / "config/settings.py").read_text()
    example = (PROJECT / ".env.example").read_text()

    read = set(re.findall(r'(?:env\.\w+|_required)\(\s*"([A-Z_]+)"', settings))
    listed = re.findall(r"^#([A-Z_]+)=", example, re.MULTILINE)

    assert sorted(listed) == sorted(read)


def test_example_has_no_comment_behind_a_value() -> None:
    example = (PROJECT / ".env.example").read_text()

    values = re.findall(r"^#?[A-Z_]+=(.*)$", example, re.MULTILINE)

    # django-environ would take it for a part of the value.
    assert [value for value in values if "#" in value] == []
