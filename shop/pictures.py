"""Pictures as files: which are accepted, and the smaller copies, renditions, made of one.

Nothing here knows the database. Names are made here so that no name ever stands for other content:
whoever has a file may keep it for good.
"""

import hashlib
import io
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from django.db.models import Model
from PIL import Image, ImageCms, ImageOps
from PIL.ExifTags import Base

MAX_BYTES = 10 * 2**20
MAX_PIXELS = 25_000_000
MAX_SIDE = 10_000
# By what Pillow calls them. MPO is what it makes of a JPEG to which a camera added more pictures.
SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "WEBP": ".webp", "AVIF": ".avif"}
_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF")
# A cover is shown 72 pixels wide in the cart, about 175 in a grid and up to 480 on its own page, on
# screens with one to three pixels to each of these.
WIDTHS = (144, 216, 384, 576, 960, 1440)
# A width this near to the original's own would be one file more for next to nothing.
_WORTH_A_FILE = 0.9
# What browsers get to choose from, the smaller files first. One thread: pages are served meanwhile.
_ENCODERS = {
    "image/avif": ("AVIF", {"quality": 60, "speed": 7, "max_threads": 1}),
    "image/webp": ("WEBP", {"quality": 78, "method": 4}),
}
TYPES = tuple(_ENCODERS)
_FOLDER = "products"
LASTING_NAME = re.compile(rf"{_FOLDER}/([0-9a-f]{{32}}|\d+/\d+-[0-9a-f]{{16}})\.[a-z]+")


class UnfitPicture(Exception):
    """A file that is not accepted as a picture; the message says why, for those who upload."""


class Rendition(NamedTuple):
    type: str
    width: int
    content: bytes

    def name(self, image_id: int) -> str:
        """Return the name of its file, by the picture it belongs to and by its content."""
        digest = hashlib.sha256(self.content).hexdigest()[:16]
        return f"{folder(image_id)}/{self.width}-{digest}.{self.type.removeprefix('image/')}"


def folder(image_id: int) -> str:
    """Return where the renditions of a picture lie, and nothing else."""
    return f"{_FOLDER}/{image_id}"


def name_upload(instance: Model, filename: str) -> str:
    """Return a name for an original that no other upload ever had or will have."""
    return f"{_FOLDER}/{secrets.token_hex(16)}{Path(filename).suffix.lower()}"


def opened(file: IO[bytes]) -> Image.Image:
    """Return the picture in `file`, its head read and judged, its pixels not yet.

    Raises UnfitPicture.
    """
    if file.seek(0, io.SEEK_END) > MAX_BYTES:
        raise UnfitPicture("This file is larger than 10 MB. Please choose a smaller one.")
    file.seek(0)
    try:
        image = Image.open(file, formats=_FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnfitPicture(_TOO_LARGE) from error
    except Exception as error:  # Broken bytes make Pillow's parsers raise almost anything.
        raise UnfitPicture("This is not a JPEG, PNG, WebP or AVIF picture.") from error
    if max(image.size) > MAX_SIDE or image.width * image.height > MAX_PIXELS:
        raise UnfitPicture(_TOO_LARGE)
    # What a camera added are previews and depths of the first.
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise UnfitPicture("This picture moves. Please choose one that stands still.")
    return image


_TOO_LARGE = (
    "This picture has too many pixels: 25 megapixels and 10,000 pixels along a side are the most."
)


def require_whole(image: Image.Image) -> None:
    """Decode the picture.

    Raises UnfitPicture where bytes are missing or wrong.
    """
    try:
        image.load()
    except Exception as error:  # As above.
        raise UnfitPicture("This file is damaged: not all of the picture can be read.") from error


def size(image: Image.Image) -> tuple[int, int]:
    """Return width and height as shown: cameras write down how they were held."""
    width, height = image.size
    return (height, width) if image.getexif().get(Base.Orientation, 1) >= 5 else (width, height)


def widths(width: int) -> list[int]:
    """Return the widths of the renditions of a picture: none wider than the picture itself."""
    return [
        *(smaller for smaller in WIDTHS if smaller <= width * _WORTH_A_FILE),
        *([min(width, WIDTHS[-1])] if width * _WORTH_A_FILE < WIDTHS[-1] else []),
    ]


def renditions(image: Image.Image) -> Iterator[Rendition]:
    """Make the renditions of an opened picture: upright, in sRGB, with nothing but the pixels.

    Raises UnfitPicture.
    """
    width, height = size(image)
    # Shrunk before all else, so that no more than one copy in full size is ever held.
    factor = min(1.0, WIDTHS[-1] / width)
    largest = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    image.draft(None, largest)
    require_whole(image)
    picture = _in_srgb(ImageOps.exif_transpose(_shrunk(_in_full_color(image), largest)))
    # Where it was taken, and by whom, is nobody's business.
    picture.info.clear()
    for wanted in widths(width):
        copy = _shrunk(picture, (wanted, max(1, round(height * wanted / width))))
        for kind, (encoder, options) in _ENCODERS.items():
            stream = io.BytesIO()
            copy.save(stream, encoder, **options)
            yield Rendition(kind, wanted, stream.getvalue())


def _shrunk(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _in_full_color(image: Image.Image) -> Image.Image:
    """Return the picture in a mode that can be resized smoothly."""
    if image.mode.startswith("I"):
        # 16 bits of gray; convert() would cut off what is brighter than 8 bits can say.
        image = image.point(lambda value: value / 256).convert("L")
        image.info.pop("transparency", None)
    if image.mode in ("1", "P", "PA") or "transparency" in image.info:
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image


def _in_srgb(image: Image.Image) -> Image.Image:
    """Return the picture as RGB, or RGBA where parts are transparent, in the web's own colors."""
    mode = "RGBA" if image.has_transparency_data else "RGB"
    if profile := image.info.get("icc_profile"):
        try:
            converted = ImageCms.profileToProfile(
                image, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode=mode
            )
        except ImageCms.PyCMSError:
            # A profile that is broken or for other colors is as good as none.
            return image.convert(mode)
        assert converted is not None  # noqa: S101  # only in place it returns None
        return converted
    return image.convert(mode)
