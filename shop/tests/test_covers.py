import io

import pytest
from PIL import Image

from shop.covers import SIZE, draw_cover


def test_cover_is_webp_of_the_promised_size() -> None:
    with Image.open(io.BytesIO(draw_cover("Emma", "Jane Austen"))) as cover:
        assert (cover.format, cover.size) == ("WEBP", SIZE)


def test_same_title_gives_the_same_cover_and_others_another() -> None:
    assert draw_cover("Emma", "Jane Austen") == draw_cover("Emma", "Jane Austen")
    assert draw_cover("Emma", "Jane Austen") != draw_cover("Persuasion", "Jane Austen")


@pytest.mark.parametrize("title", ["X", "Donaudampfschifffahrtsgesellschaft" * 3, "word " * 60])
def test_any_title_can_be_drawn(title: str) -> None:
    assert draw_cover(title, title)
