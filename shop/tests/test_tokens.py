"""Every pair of colors that the stylesheets set on each other can be read, by day and by night."""

import re
from itertools import product

import pytest
from django.conf import settings

TOKENS = (settings.BASE_DIR / "static" / "css" / "tokens.css").read_text(encoding="utf-8")
DAY, NIGHT = TOKENS.split("@media (prefers-color-scheme: dark)")
COLOR = re.compile(r"--color-([a-z0-9-]+): #([0-9a-f]{6});")
GROUNDS = ("page", "surface", "sunken")
SPINES = [f"spine-{number}" for number in range(1, 7)]
STATES = ("success", "warning", "danger", "info")
TEXTS = [
    *product(("text", "muted", "link", "accent", "accent-deep", *STATES), GROUNDS),
    *product(("text", "muted", "link", "accent", "accent-deep"), ("accent-soft",)),
    *((state, f"{state}-soft") for state in STATES),
    *(("text", f"{state}-soft") for state in STATES),
    *product(("on-accent",), ("accent", "accent-deep")),
    *product(("on-cloth", "on-cloth-muted", "brass", "brass-light"), ("cloth",)),
    *product(("on-cloth", "on-cloth-muted"), SPINES),
    *product(("on-brass",), ("brass", "brass-light")),
]
EDGES = [
    *product(("line-strong", "accent", "danger", "focus"), GROUNDS),
    *product(("focus-on-cloth", "brass"), ("cloth",)),
]


def ratio(first: str, second: str) -> float:
    """Return the contrast of two colors. Source: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""
    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color: str) -> float:
    channels = (part / 255 for part in bytes.fromhex(color))
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["day", "night"])
def test_colors_stand_out_from_what_they_are_set_on(theme: str) -> None:
    # The night changes some of the day's colors and keeps the rest.
    colors = dict(COLOR.findall(DAY)) | (dict(COLOR.findall(NIGHT)) if theme == "night" else {})

    wanted = [(pair, 4.5) for pair in TEXTS] + [(pair, 3.0) for pair in EDGES]
    faint = {
        f"{front} on {ground}": round(ratio(colors[front], colors[ground]), 2)
        for (front, ground), least in wanted
        if ratio(colors[front], colors[ground]) < least
    }

    assert faint == {}
