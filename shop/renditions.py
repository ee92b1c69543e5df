"""Keeping the files of product pictures in line with their rows.

A row names its renditions only once all of them are stored, so a page never names one that is not
there. A picture's renditions lie in a folder of its own: what the row does not name is left over.
"""

import io
import logging
from typing import TypedDict

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage as storage
from procrastinate.contrib.django.models import ProcrastinateJob

from shop import pictures, queue
from shop.faults import fault_point
from shop.models import ProductImage

logger = logging.getLogger(__name__)

# A folder of no picture's, so that none takes these files along when it goes.
_SHARED = 0


class Stored(TypedDict):
    """A rendition as a row names it."""

    name: str
    type: str
    width: int


def settle(*, image_id: int, original: str = "") -> int:
    """Make what renditions a picture lacks, remove the files it has no more use for.

    Returns how many renditions it has then. Safe to repeat, and to break off anywhere; jobs of one
    picture must not run at the same time. `original` names a file that was replaced or deleted.
    """
    if original and not ProductImage.objects.filter(image=original).exists():
        storage.delete(original)
    picture = ProductImage.objects.filter(pk=image_id).first()
    if picture:
        _publish(picture)
    return _sweep(image_id)


def queue_missing() -> int:
    """Queue a job for every picture without renditions that has none waiting; return how many."""
    waiting = ProcrastinateJob.objects.filter(
        task_name=queue.PICTURE_JOB, status__in=("todo", "doing")
    )
    known = {job["image_id"] for job in waiting.values_list("args", flat=True)}
    lacking = ProductImage.objects.filter(renditions=[]).order_by("pk").values_list("pk", flat=True)
    missing = [pk for pk in lacking.iterator() if pk not in known]
    for pk in missing:
        queue.settle_picture(image_id=pk)
    return len(missing)


def store_shared(name: str) -> list[Stored]:
    """Store the renditions of a file that many pictures share, for the rows of all of them.

    Safe to repeat. Raises FileNotFoundError, pictures.UnfitPicture.
    """
    _size, made = _make(name, _SHARED)
    return made


def _publish(picture: ProductImage) -> None:
    """Store the picture's renditions, then let its row name them, unless it has another file now.

    That file has a job of its own. A file that cannot be used stays as it is on the pages.
    """
    name = str(picture.image)
    try:
        (width, height), made = _make(name, picture.pk)
    except (FileNotFoundError, pictures.UnfitPicture) as error:
        logger.warning("picture %s gets no renditions: %s", picture.pk, error)
        return
    fault_point("renditions:before-row")
    ProductImage.objects.filter(pk=picture.pk, image=name).update(
        renditions=made, width=width, height=height
    )


def _make(name: str, image_id: int) -> tuple[tuple[int, int], list[Stored]]:
    """Store the renditions of a file in the folder of a picture; return its size, and them."""
    with storage.open(name) as file:
        # More than is accepted is not needed to see that it is too much.
        original = pictures.opened(io.BytesIO(file.read(pictures.MAX_BYTES + 1)))
    made: list[Stored] = [
        {"name": _store(one, image_id), "type": one.type, "width": one.width}
        for one in pictures.renditions(original)
    ]
    return pictures.size(original), made


def _store(rendition: pictures.Rendition, image_id: int) -> str:
    name = rendition.name(image_id)
    if storage.exists(name):
        if storage.size(name) == len(rendition.content):
            return name
        # A worker was killed while it wrote.
        storage.delete(name)
    return storage.save(name, ContentFile(rendition.content))


def _sweep(image_id: int) -> int:
    """Remove what lies in the picture's folder and is not named by its row; count what is named."""
    rows = ProductImage.objects.filter(pk=image_id).values_list("renditions", flat=True)
    named = {rendition["name"] for renditions in rows for rendition in renditions}
    folder = pictures.folder(image_id)
    try:
        _folders, files = storage.listdir(folder)
    except FileNotFoundError:
        files = []
    for file in files:
        if f"{folder}/{file}" not in named:
            storage.delete(f"{folder}/{file}")
    return len(named)
