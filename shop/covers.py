"""Covers for books that come without one, drawn by us: always the same for the same title.

A cover is one of a few designs in one of a few sets of colors, both chosen by the title. Everything
is drawn at twice the size and scaled down, since Pillow smooths letters but no shapes.
"""

import io
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

from django.conf import settings
from PIL import Image, ImageChops, ImageDraw, ImageFont

SIZE = WIDTH, HEIGHT = 600, 900
_SCALE = 2
_W, _H = WIDTH * _SCALE, HEIGHT * _SCALE
_MARGIN = _W // 9
_CENTER = _W // 2
_FONTS = Path(settings.BASE_DIR) / "static" / "fonts"
_GARAMOND = "eb-garamond-latin-wght-normal.woff2"
_PLAYFAIR = "playfair-display-latin-700-normal.woff2"
_JOSEFIN = "josefin-sans-latin-600-normal.woff2"


class Colors(NamedTuple):
    """Cloth, letters on it, an accent that stands out, and a shade near the cloth."""

    cloth: str
    ink: str
    accent: str
    shade: str


_COLORS = (
    Colors("#16382f", "#f3ead3", "#c9a14a", "#2a5a4b"),
    Colors("#6b1f24", "#f5e6d0", "#d9a441", "#87333a"),
    Colors("#1b2a49", "#f2e9d8", "#d98e4a", "#31456f"),
    Colors("#f2e8d5", "#2a2a28", "#b5442e", "#dccba8"),
    Colors("#b94f28", "#fdf3e2", "#2b2a33", "#d07a4c"),
    Colors("#245e63", "#f6eeda", "#e8b04b", "#3c8084"),
    Colors("#43284f", "#f1e3e6", "#d6a2a8", "#63406f"),
    Colors("#d9a62e", "#26241f", "#7a2e1d", "#e8c566"),
    Colors("#4a6885", "#fbf5e6", "#f0c987", "#6d8aa6"),
    Colors("#a9b797", "#26332a", "#9a3f27", "#c3cdb2"),
    Colors("#26282b", "#f0e9da", "#c8553d", "#414449"),
    Colors("#e6b8ad", "#3a1f2b", "#9c2f45", "#f0d2c9"),
)


class Cover:
    """A sheet to draw on, with the words that go on it."""

    def __init__(self, title: str, author: str, colors: Colors, random: Random) -> None:
        self.title, self.author = title, author
        self.colors, self.random = colors, random
        self.image = Image.new("RGB", (_W, _H), colors.cloth)
        self.draw = ImageDraw.Draw(self.image)

    def disc(self, x: float, y: float, radius: float, fill: str) -> None:
        self.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)

    def ring(self, x: float, y: float, radius: float, color: str, width: int) -> None:
        box = (x - radius, y - radius, x + radius, y + radius)
        self.draw.ellipse(box, outline=color, width=width)

    def diamond(self, x: float, y: float, radius: float, fill: str) -> None:
        corners = [(x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y)]
        self.draw.polygon(corners, fill=fill)

    def write(
        self, text: str, font: str, box: tuple[int, int, int, int], size: int, fill: str
    ) -> None:
        """Center `text` in `box`, in lines, as large as fits and at most `size` high."""
        left, top, right, bottom = box
        while True:
            face = ImageFont.truetype(_FONTS / font, size)
            lines = _lines(text, face, right - left)
            height = size * 1.14
            if len(lines) * height <= bottom - top and _widest(lines, face) <= right - left:
                break
            size -= 4
        y = (top + bottom - (len(lines) - 1) * height) / 2
        for number, line in enumerate(lines):
            self.draw.text(((left + right) / 2, y + number * height), line, fill, face, anchor="mm")


def draw_cover(title: str, author: str) -> bytes:
    """Return a cover as WebP, 600 by 900 pixels."""
    # Not hash(): that differs from process to process.
    random = Random(zlib.crc32(title.encode()))  # noqa: S311
    cover = Cover(title, author, random.choice(_COLORS), random)
    random.choice(_DESIGNS)(cover)
    picture = _bind(cover.image.reduce(_SCALE))
    stream = io.BytesIO()
    picture.save(stream, "WEBP", quality=82, method=2)
    return stream.getvalue()


def _bind(picture: Image.Image) -> Image.Image:
    """Give the sheet a weave, and the groove along the spine."""
    weave = Image.new("L", (4, 4), 255)
    for x, y in ((0, 0), (1, 0), (2, 2), (3, 2), (0, 1), (2, 3)):
        weave.putpixel((x, y), 246)
    cloth = Image.new("L", picture.size)
    for x in range(0, WIDTH, 4):
        cloth.paste(weave, (x, 0))
    for y in range(4, HEIGHT, 4):
        cloth.paste(cloth.crop((0, 0, WIDTH, 4)), (0, y))
    groove = ImageDraw.Draw(cloth)
    for x in range(14, 26):
        groove.line((x, 0, x, HEIGHT), fill=int(255 - 46 * math.sin((x - 14) / 12 * math.pi)))
    return ImageChops.multiply(picture, cloth.convert("RGB"))


def _lines(text: str, face: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Break `text` into as few lines as fit `width`, then even them out."""

    def fill(limit: float) -> list[str]:
        lines: list[str] = []
        for word in text.split():
            if lines and face.getlength(f"{lines[-1]} {word}") <= limit:
                lines[-1] += f" {word}"
            else:
                lines.append(word)
        return lines

    best = fill(width)
    for limit in range(width, width // 4, -width // 24):
        tried = fill(limit)
        if len(tried) > len(best):
            break
        best = tried
    return best


def _widest(lines: list[str], face: ImageFont.FreeTypeFont) -> float:
    return max(face.getlength(line) for line in lines)


def _framed(cover: Cover) -> None:
    """An old cloth binding: gilt frame, title above, device in the middle, author below."""
    gilt = cover.colors.accent
    for inset, width in ((_MARGIN * 0.5, 8), (_MARGIN * 0.68, 3)):
        cover.draw.rectangle((inset, inset, _W - inset, _H - inset), outline=gilt, width=width)
    for x in (_MARGIN, _W - _MARGIN):
        for y in (_MARGIN, _H - _MARGIN):
            cover.diamond(x, y, 26, gilt)
            cover.diamond(x, y, 12, cover.colors.cloth)
    y = _H * 3 // 5
    petals = cover.random.choice((6, 8, 12))
    for petal in range(petals):
        angle = 2 * math.pi * petal / petals
        cover.ring(_CENTER + 90 * math.cos(angle), y + 90 * math.sin(angle), 90, gilt, 5)
    cover.ring(_CENTER, y, 192, gilt, 4)
    cover.disc(_CENTER, y, 22, gilt)
    box = (_MARGIN * 3 // 2, 230, _W - _MARGIN * 3 // 2, 790)
    cover.write(cover.title.upper(), _GARAMOND, box, 132, cover.colors.ink)
    box = (_MARGIN * 3 // 2, 1440, _W - _MARGIN * 3 // 2, 1600)
    cover.write(cover.author, _GARAMOND, box, 72, gilt)


def _labeled(cover: Cover) -> None:
    """Patterned paper over boards, with a label pasted on."""
    step = cover.random.choice((100, 120, 150))
    for row, y in enumerate(range(0, _H + step, step // 2)):
        for x in range(-step, _W + step, step):
            shift = x + (row % 2) * step // 2
            cover.diamond(shift, y, step * 0.3, cover.colors.shade)
            cover.disc(shift, y, step * 0.07, cover.colors.accent)
    label = (_MARGIN * 3 // 2, 330, _W - _MARGIN * 3 // 2, 1090)
    cover.draw.rectangle(label, fill="#f7f0df")
    left, top, right, bottom = label
    frame = (left + 24, top + 24, right - 24, bottom - 24)
    cover.draw.rectangle(frame, outline="#2a2a28", width=4)
    cover.write(
        cover.title, _PLAYFAIR, (left + 70, top + 60, right - 70, bottom - 220), 112, "#2a2a28"
    )
    cover.draw.line((_CENTER - 70, bottom - 200, _CENTER + 70, bottom - 200), "#2a2a28", 4)
    author = (left + 70, bottom - 180, right - 70, bottom - 50)
    cover.write(cover.author, _GARAMOND, author, 62, "#2a2a28")


def _hills(cover: Cover) -> None:
    """A low sun over hills."""
    x = cover.random.uniform(0.28, 0.72) * _W
    cover.disc(x, _H * 0.6, 250, cover.colors.accent)
    ridges = 5
    for ridge in range(ridges):
        base = _H * (0.64 + 0.075 * ridge)
        swing, phase = cover.random.uniform(30, 80), cover.random.uniform(0, 6)
        length = cover.random.uniform(350, 700)
        line = [
            (step, base + swing * math.sin(step / length * math.pi + phase))
            for step in range(0, _W + 20, 20)
        ]
        depth = ridge / (ridges - 1)
        fill = _mix(cover.colors.shade, _mix(cover.colors.cloth, "#101418", 0.45), depth)
        cover.draw.polygon([*line, (_W, _H), (0, _H)], fill=fill)
    cover.write(cover.title, _PLAYFAIR, (_MARGIN, 240, _W - _MARGIN, 720), 150, cover.colors.ink)
    cover.write(cover.author, _GARAMOND, (_MARGIN, 90, _W - _MARGIN, 190), 66, cover.colors.ink)


def _rays(cover: Cover) -> None:
    """A sunburst from the foot of the cover."""
    x, y, rays = _CENTER, _H * 0.98, cover.random.choice((28, 36, 44))
    for ray in range(0, rays, 2):
        first, second = (math.pi * (1 + (ray + part) / rays) for part in (0, 1))
        far = 2 * _H
        cover.draw.polygon(
            [
                (x, y),
                (x + far * math.cos(first), y + far * math.sin(first)),
                (x + far * math.cos(second), y + far * math.sin(second)),
            ],
            fill=cover.colors.shade,
        )
    for radius, color in ((430, "accent"), (390, "cloth"), (350, "accent"), (190, "ink")):
        cover.disc(x, y, radius, getattr(cover.colors, color))
    panel = (_MARGIN, 200, _W - _MARGIN, 1010)
    cover.draw.rectangle(panel, fill=cover.colors.cloth, outline=cover.colors.accent, width=8)
    box = (_MARGIN + 60, 270, _W - _MARGIN - 60, 790)
    cover.write(cover.title.upper(), _JOSEFIN, box, 112, cover.colors.ink)
    box = (_MARGIN + 60, 830, _W - _MARGIN - 60, 960)
    cover.write(cover.author, _JOSEFIN, box, 56, cover.colors.accent)


def _scales(cover: Cover) -> None:
    """Fans laid over each other like tiles, the title on the plain cloth above."""
    radius = cover.random.choice((100, 120, 150))
    for row, y in enumerate(range(_H * 45 // 100, _H + 2 * radius, radius // 2)):
        for x in range(-radius, _W + 2 * radius, 2 * radius):
            center = x + (row % 2) * radius
            for part, color in ((1.0, "cloth"), (0.94, "shade"), (0.66, "cloth"), (0.56, "accent")):
                cover.disc(center, y + radius, radius * part, getattr(cover.colors, color))
            cover.disc(center, y + radius, radius * 0.3, cover.colors.cloth)
    box = (_MARGIN, 110, _W - _MARGIN, 590)
    cover.write(cover.title, _GARAMOND, box, 150, cover.colors.ink)
    box = (_MARGIN, 640, _W - _MARGIN, 750)
    cover.write(cover.author.upper(), _JOSEFIN, box, 48, cover.colors.ink)


def _tiles(cover: Cover) -> None:
    """Quarter circles and discs on a grid, as of a modern classic."""
    side = _W // 4
    for row in range(4):
        for column in range(4):
            ground, shape = cover.random.sample(tuple(cover.colors), 2)
            tile = Image.new("RGB", (side, side), ground)
            pen = ImageDraw.Draw(tile)
            corner = cover.random.randrange(5)
            if corner == 4:
                pen.ellipse((side * 0.18, side * 0.18, side * 0.82, side * 0.82), fill=shape)
            else:
                x, y = side * (corner % 2), side * (corner // 2)
                pen.ellipse((x - side, y - side, x + side, y + side), fill=shape)
            cover.image.paste(tile, (column * side, _H - (4 - row) * side))
    cover.write(cover.title, _JOSEFIN, (_MARGIN, 90, _W - _MARGIN, 430), 120, cover.colors.ink)
    cover.write(cover.author, _JOSEFIN, (_MARGIN, 440, _W - _MARGIN, 560), 56, cover.colors.ink)


def _waves(cover: Cover) -> None:
    """Line upon line, like water or a well kept field."""
    swing, length = cover.random.uniform(25, 95), cover.random.uniform(180, 620)
    gap, drift = cover.random.choice((40, 56, 72)), cover.random.uniform(-0.5, 0.5)
    for number, base in enumerate(range(_H * 48 // 100, _H + 100, gap)):
        line = [
            (x, base + swing * math.sin(x / length * math.pi + number * drift))
            for x in range(-20, _W + 40, 20)
        ]
        color = cover.colors.accent if number % 4 == 0 else cover.colors.shade
        cover.draw.line(line, color, gap * 3 // 8, joint="curve")
    cover.write(cover.title, _PLAYFAIR, (_MARGIN, 110, _W - _MARGIN, 580), 150, cover.colors.ink)
    cover.write(cover.author, _GARAMOND, (_MARGIN, 640, _W - _MARGIN, 760), 68, cover.colors.ink)


def _mix(first: str, second: str, share: float) -> str:
    """Return the color `share` of the way from `first` to `second`."""
    pairs = zip(bytes.fromhex(first[1:]), bytes.fromhex(second[1:]), strict=True)
    return "#" + bytes(round(a + (b - a) * share) for a, b in pairs).hex()


_DESIGNS: tuple[Callable[[Cover], None], ...] = (
    _framed,
    _labeled,
    _hills,
    _rays,
    _scales,
    _tiles,
    _waves,
)
