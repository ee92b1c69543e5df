"""Queueing the shop's own job by name, so that a model can ask for a job that reads it."""

from procrastinate.contrib.django import app

PICTURE_JOB = "shop.tasks.settle_picture"


def settle_picture(*, image_id: int, original: str = "") -> None:
    """Queue the work on a picture's files; it commits with the change it belongs to.

    `original` names a file that the picture does not use any more. Jobs of one picture are run one
    by one and in their order, on whichever worker.
    """
    job = app.configure_task(PICTURE_JOB, queue="images", lock=f"picture {image_id}")
    job.defer(image_id=image_id, original=original)
