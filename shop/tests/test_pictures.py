"""Which files are pictures, and what is made of them."""

import io
from typing import Any

import pytest
from PIL import Image, ImageCms
from PIL.ExifTags import IFD, Base

from shop import pictures

RED, GREEN, BLUE = (200, 30, 40), (30, 160, 60), (40, 60, 200)


def encoded(image: Image.Image, encoder: str = "PNG", **options: Any) -> io.BytesIO:
    stream = io.BytesIO()
    image.save(stream, encoder, **options)
    return stream


def made_of(file: io.BytesIO) -> list[tuple[str, int, Image.Image]]:
    """Return type, width and picture of each rendition, read back by Pillow."""
    renditions = pictures.renditions(pictures.opened(file))
    return [(made.type, made.width, Image.open(io.BytesIO(made.content))) for made in renditions]


def is_near(color: Any, wanted: tuple[int, ...]) -> bool:
    return all(abs(value - near) <= 12 for value, near in zip(color, wanted, strict=True))


def halves(size: tuple[int, int], left: tuple[int, ...], right: tuple[int, ...]) -> Image.Image:
    image = Image.new("RGBA" if len(left) == 4 else "RGB", size, left)
    image.paste(right, (size[0] // 2, 0, *size))
    return image


def test_a_cover_comes_in_both_types_and_in_the_widths_below_its_own() -> None:
    cover = encoded(Image.new("RGB", (600, 900), RED), "WEBP")

    made = made_of(cover)

    assert [(kind, width, image.format, image.size) for kind, width, image in made] == [
        ("image/avif", 144, "AVIF", (144, 216)),
        ("image/webp", 144, "WEBP", (144, 216)),
        ("image/avif", 216, "AVIF", (216, 324)),
        ("image/webp", 216, "WEBP", (216, 324)),
        ("image/avif", 384, "AVIF", (384, 576)),
        ("image/webp", 384, "WEBP", (384, 576)),
        ("image/avif", 600, "AVIF", (600, 900)),
        ("image/webp", 600, "WEBP", (600, 900)),
    ]
    assert all(is_near(image.convert("RGB").getpixel((70, 100)), RED) for _, _, image in made)


@pytest.mark.parametrize(
    ("width", "widths"),
    [
        (1, [1]),
        (144, [144]),
        (150, [150]),
        (160, [144, 160]),
        (1000, [144, 216, 384, 576, 1000]),
        (1440, [144, 216, 384, 576, 960, 1440]),
        (1500, [144, 216, 384, 576, 960, 1440]),
        (1600, [144, 216, 384, 576, 960, 1440]),
        (10_000, [144, 216, 384, 576, 960, 1440]),
    ],
)
def test_no_rendition_is_wider_than_its_original(width: int, widths: list[int]) -> None:
    assert pictures.widths(width) == widths


@pytest.mark.parametrize("size", [(1, 1), (10_000, 1), (1, 10_000), (2400, 10_000)])
def test_odd_shapes_keep_at_least_a_pixel(size: tuple[int, int]) -> None:
    made = made_of(encoded(Image.new("L", size)))

    largest = made[-1][2]
    width = min(size[0], 1440)
    assert largest.size == (width, max(1, round(size[1] * width / size[0])))


@pytest.mark.parametrize("encoder", ["JPEG", "PNG", "WEBP"])
def test_what_a_camera_noted_turns_the_picture_and_is_left_out(encoder: str) -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = 6  # to be turned by 90 degrees clockwise
    exif[Base.Artist] = "A. Photographer"
    exif.get_ifd(IFD.GPSInfo)[1] = "N"
    file = encoded(halves((400, 200), RED, BLUE), encoder, exif=exif)

    assert pictures.size(pictures.opened(file)) == (200, 400)
    for _kind, width, image in made_of(file):
        assert image.size == (width, width * 2)
        assert is_near(image.convert("RGB").getpixel((70, 40)), RED)
        assert is_near(image.convert("RGB").getpixel((70, 240)), BLUE)
        assert not {"exif", "xmp", "icc_profile"} & set(image.info)
        assert not image.getexif()


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (halves((300, 300), (*RED, 255), (*BLUE, 0)), {}),
        (halves((300, 300), RED, BLUE), {"transparency": BLUE}),
        (halves((300, 300), RED, BLUE).quantize(2), {"transparency": 1}),
    ],
    ids=["alpha", "one color", "palette"],
)
def test_transparent_parts_stay_transparent_with_soft_edges(
    image: Image.Image, options: dict[str, Any]
) -> None:
    for _kind, width, made in made_of(encoded(image, **options)):
        alpha = made.getchannel("A")
        assert width == 300 or set(alpha.tobytes()) - {0, 255}
        assert alpha.getpixel((made.width // 4, 70)) == 255
        assert alpha.getpixel((made.width * 3 // 4, 70)) == 0


@pytest.mark.parametrize(
    ("image", "shown"),
    [
        (Image.new("CMYK", (200, 200), (0, 255, 255, 0)), (255, 0, 0)),
        (Image.new("L", (200, 200), 90), (90, 90, 90)),
        (Image.new("1", (200, 200), 1), (255, 255, 255)),
        (Image.new("I;16", (200, 200), 90 * 256), (90, 90, 90)),
        (Image.new("RGB", (200, 200), GREEN).quantize(4), GREEN),
    ],
    ids=["print", "gray", "black and white", "16 bits", "palette"],
)
def test_every_way_of_saying_colors_is_understood(
    image: Image.Image, shown: tuple[int, int, int]
) -> None:
    encoder = "JPEG" if image.mode == "CMYK" else "PNG"

    for _kind, _width, made in made_of(encoded(image, encoder)):
        assert made.mode == "RGB"
        assert is_near(made.getpixel((20, 20)), shown)


def test_colors_of_another_profile_are_turned_into_the_webs() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with_profile = encoded(Image.new("RGB", (200, 200), GREEN), icc_profile=srgb)
    broken = encoded(Image.new("RGB", (200, 200), GREEN), icc_profile=b"no profile at all")

    for file in (with_profile, broken):
        for _kind, _width, made in made_of(file):
            assert is_near(made.getpixel((20, 20)), GREEN)
            assert "icc_profile" not in made.info


def frames(encoder: str) -> io.BytesIO:
    images = [Image.new("RGB", (20, 20), color) for color in (RED, BLUE)]
    return encoded(images[0], encoder, save_all=True, append_images=images[1:])


@pytest.mark.parametrize("encoder", ["PNG", "WEBP", "AVIF"])
def test_moving_pictures_are_refused(encoder: str) -> None:
    with pytest.raises(pictures.UnfitPicture, match="This picture moves"):
        pictures.opened(frames(encoder))


def test_a_jpeg_to_which_the_camera_added_more_is_its_first_picture() -> None:
    file = frames("MPO")

    assert [image.size for _kind, _width, image in made_of(file)] == [(20, 20), (20, 20)]
    assert is_near(made_of(file)[0][2].convert("RGB").getpixel((9, 9)), RED)


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"not a picture",
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        encoded(Image.new("RGB", (9, 9)), "GIF").getvalue(),
        encoded(Image.new("RGB", (9, 9)), "TIFF").getvalue(),
        encoded(Image.new("RGB", (9, 9)), "BMP").getvalue(),
        encoded(Image.new("RGB", (9, 9)), "PDF").getvalue(),
    ],
    ids=["empty", "text", "svg", "gif", "tiff", "bmp", "pdf"],
)
def test_what_is_no_picture_for_browsers_is_refused(file: bytes) -> None:
    with pytest.raises(pictures.UnfitPicture, match="not a JPEG, PNG, WebP or AVIF"):
        pictures.opened(io.BytesIO(file))


@pytest.mark.parametrize("size", [(5001, 5000), (10_001, 1), (10_000, 9_000), (14_000, 14_000)])
def test_more_pixels_than_memory_is_given_for_are_refused_unread(size: tuple[int, int]) -> None:
    bomb = encoded(Image.new("1", size))
    assert len(bomb.getvalue()) < 100_000

    with pytest.raises(pictures.UnfitPicture, match="too many pixels"):
        pictures.opened(bomb)


def test_25_megapixels_are_accepted() -> None:
    assert pictures.opened(encoded(Image.new("1", (5000, 5000)))).size == (5000, 5000)


def test_a_file_is_judged_by_its_length_before_it_is_read() -> None:
    padded = encoded(Image.new("RGB", (9, 9))).getvalue().ljust(pictures.MAX_BYTES, b"\0")

    assert pictures.opened(io.BytesIO(padded)).size == (9, 9)
    with pytest.raises(pictures.UnfitPicture, match="larger than 10 MB"):
        pictures.opened(io.BytesIO(padded + b"\0"))


@pytest.mark.parametrize("encoder", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_a_file_that_lacks_its_end_is_refused(encoder: str) -> None:
    noise = Image.effect_noise((300, 300), 80).convert("RGB")
    whole = encoded(noise, encoder).getvalue()

    with pytest.raises(pictures.UnfitPicture):
        pictures.require_whole(pictures.opened(io.BytesIO(whole[: len(whole) // 2])))
