"""The files of product pictures: made by a job, named by their row, removed with it."""

import io
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.db import transaction
from PIL import Image
from procrastinate.contrib.django.models import ProcrastinateJob

from shop import pictures, renditions
from shop.models import ProductImage
from shop.tests.factories import ProductFactory, ProductImageFactory
from shop.tests.waiting import wait_until

pytestmark = pytest.mark.django_db

PROJECT = Path(__file__).parents[2]
WIDTHS = (144, 216, 384, 600)


@pytest.fixture(autouse=True)
def media(settings: LazySettings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def files(media: Path) -> set[str]:
    return {str(path.relative_to(media)) for path in media.rglob("*") if path.is_file()}


def names(picture: ProductImage) -> set[str]:
    """Return what the row names, as it is stored: the original and its renditions."""
    picture.refresh_from_db()
    return {str(picture.image)} | {rendition["name"] for rendition in picture.renditions}


def queued() -> list[dict[str, Any]]:
    jobs = ProcrastinateJob.objects.filter(queue_name="images").order_by("pk")
    assert {job.lock for job in jobs} == {f"picture {job.args['image_id']}" for job in jobs}
    return [job.args for job in jobs]


def cover(color: str = "navy", size: tuple[int, int] = (300, 450)) -> "ContentFile[bytes]":
    stream = io.BytesIO()
    Image.new("RGB", size, color).save(stream, "PNG")
    return ContentFile(stream.getvalue(), name="cover.png")


def test_saving_a_picture_queues_its_job_in_the_same_transaction(media: Path) -> None:
    with transaction.atomic():
        picture = ProductImageFactory()
        transaction.set_rollback(True)
    assert queued() == []

    picture = ProductImageFactory()
    picture.alt = "A cover"
    picture.save()

    assert queued() == [{"image_id": picture.pk, "original": ""}]
    assert picture.renditions == []


def test_the_job_makes_every_rendition_and_the_row_names_them(media: Path) -> None:
    picture = ProductImageFactory()

    assert renditions.settle(image_id=picture.pk) == 8

    picture.refresh_from_db()
    assert [(r["type"], r["width"]) for r in picture.renditions] == [
        (kind, width) for width in WIDTHS for kind in ("image/avif", "image/webp")
    ]
    assert files(media) == names(picture)
    assert len(files(media)) == 9
    assert all(pictures.LASTING_NAME.fullmatch(name) for name in names(picture))
    for rendition in picture.renditions:
        with Image.open(media / rendition["name"]) as image:
            assert Image.MIME[image.format or ""] == rendition["type"]
            assert image.size == (rendition["width"], rendition["width"] * 3 // 2)


def test_a_second_job_changes_nothing(media: Path) -> None:
    picture = ProductImageFactory()
    renditions.settle(image_id=picture.pk)
    row = ProductImage.objects.values().get()
    written = {name: (media / name).stat().st_mtime_ns for name in files(media)}

    assert renditions.settle(image_id=picture.pk) == 8

    assert ProductImage.objects.values().get() == row
    assert {name: (media / name).stat().st_mtime_ns for name in files(media)} == written


def test_a_file_that_was_written_by_half_is_written_anew(media: Path) -> None:
    picture = ProductImageFactory()
    renditions.settle(image_id=picture.pk)
    torn = media / ProductImage.objects.get().renditions[3]["name"]
    whole = torn.read_bytes()
    torn.write_bytes(whole[:50])

    renditions.settle(image_id=picture.pk)

    assert torn.read_bytes() == whole
    assert files(media) == names(picture)


def test_a_replaced_picture_takes_its_files_with_it(media: Path) -> None:
    picture = ProductImageFactory()
    renditions.settle(image_id=picture.pk)
    picture.refresh_from_db()
    replaced = str(picture.image)

    picture.image = cover()
    picture.save()

    assert (picture.renditions, picture.width, picture.height) == ([], 300, 450)
    assert queued()[1:] == [{"image_id": picture.pk, "original": replaced}]
    assert len(files(media)) == 10
    assert renditions.settle(**queued()[1]) == 6
    assert files(media) == names(picture)
    assert len(files(media)) == 7


def test_a_picture_replaced_while_its_job_runs_keeps_nothing_of_the_old(media: Path) -> None:
    picture = ProductImageFactory()
    seen_by_the_job = ProductImage.objects.get()
    picture.image = cover()
    picture.save()

    renditions._publish(seen_by_the_job)

    picture.refresh_from_db()
    assert picture.renditions == []
    assert renditions.settle(**queued()[1]) == 6
    assert files(media) == names(picture)
    assert len(files(media)) == 7


def test_a_picture_deleted_while_its_job_runs_leaves_nothing(media: Path) -> None:
    picture = ProductImageFactory()
    seen_by_the_job = ProductImage.objects.get()
    picture.delete()

    renditions._publish(seen_by_the_job)

    assert renditions.settle(**queued()[1]) == 0
    assert files(media) == set()


def test_files_go_with_the_product_but_only_once_that_is_committed(media: Path) -> None:
    picture = ProductImageFactory()
    renditions.settle(image_id=picture.pk)
    before = names(picture)

    with transaction.atomic():
        picture.product.delete()
        transaction.set_rollback(True)
    assert len(queued()) == 1
    ProductImage.objects.get().product.delete()

    assert files(media) == before
    assert queued()[1:] == [{"image_id": picture.pk, "original": str(picture.image)}]
    assert renditions.settle(**queued()[1]) == 0
    assert files(media) == set()


def test_a_file_that_another_picture_uses_stays(media: Path) -> None:
    picture = ProductImageFactory()
    other = ProductImageFactory(image=str(picture.image), width=600, height=900)
    renditions.settle(image_id=other.pk)

    picture.delete()
    renditions.settle(**queued()[-1])

    assert files(media) == names(other)


def test_saving_what_was_read_before_the_job_keeps_the_jobs_work(media: Path) -> None:
    picture = ProductImageFactory()
    renditions.settle(image_id=picture.pk)
    assert picture.renditions == []

    picture.alt = "Written in a form that was opened before"
    picture.save()

    picture.refresh_from_db()
    assert len(picture.renditions) == 8
    assert len(queued()) == 1


def test_a_picture_without_its_file_gets_no_renditions(
    media: Path, caplog: pytest.LogCaptureFixture
) -> None:
    picture = ProductImageFactory()
    (media / str(picture.image)).unlink()

    assert renditions.settle(image_id=picture.pk) == 0

    assert ProductImage.objects.get().renditions == []
    assert f"picture {picture.pk} gets no renditions" in caplog.text


def test_an_old_picture_with_too_many_pixels_stays_as_it_is(media: Path) -> None:
    picture = ProductImageFactory(image=cover(size=(9000, 3000)))

    assert renditions.settle(image_id=picture.pk) == 0

    assert files(media) == {str(picture.image)}


def test_width_and_height_are_those_of_the_picture_as_shown() -> None:
    turned, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 8
    Image.new("RGB", (40, 20)).save(turned, "JPEG", exif=exif)

    picture = ProductImageFactory(image=ContentFile(turned.getvalue(), name="turned.jpg"))
    assert (picture.width, picture.height) == (20, 40)
    ProductImage.objects.update(width=40, height=20)  # as an older version stored it
    renditions.settle(image_id=picture.pk)

    picture.refresh_from_db()
    assert (picture.width, picture.height) == (20, 40)


def test_the_command_queues_what_lacks_renditions_and_has_no_job() -> None:
    done, waiting = ProductImageFactory(), ProductImageFactory()
    renditions.settle(image_id=done.pk)
    # Older than the job: written past save().
    (old,) = ProductImage.objects.bulk_create(
        [ProductImage(product=ProductFactory(), image=waiting.image.name, width=600, height=900)]
    )
    before = queued()
    printed = io.StringIO()

    for _ in range(2):
        call_command("make_renditions", stdout=printed)

    assert queued() == [*before, {"image_id": old.pk, "original": ""}]
    assert printed.getvalue().splitlines() == [
        "1 pictures queued; 1 of 3 are done.",
        "0 pictures queued; 1 of 3 are done.",
    ]


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_halfway_leaves_the_page_whole_and_the_next_one_finishes(
    media: Path, process_environment: Mapping[str, str]
) -> None:
    environment = dict(process_environment) | {
        "MEDIA_ROOT": str(media),
        "WORKER_POLL_SECONDS": "0.5",
        "WORKER_HEARTBEAT_SECONDS": "0.5",
        "WORKER_STALLED_SECONDS": "3",
    }
    worker = [sys.executable, "manage.py", "worker"]
    picture = ProductImageFactory()

    killed = subprocess.run(
        worker,
        cwd=PROJECT,
        env=environment | {"FAULT_POINT": "renditions:before-row"},
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert killed.returncode == -signal.SIGKILL
    assert ProductImage.objects.get().renditions == []
    written = files(media)
    assert len(written) == 9
    with subprocess.Popen(
        worker, cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL
    ) as next_one:
        wait_until(lambda: not ProcrastinateJob.objects.filter(queue_name="images").exists())
        next_one.terminate()
    assert files(media) == names(picture) == written
