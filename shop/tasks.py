"""Jobs of the catalog, each one service call."""

from procrastinate.contrib.django import app
from procrastinate.retry import RetryStrategy

from shop import renditions


# A storage that does not answer is waited for most of an hour; afterwards `make_renditions` helps.
@app.task(queue="images", retry=RetryStrategy(max_attempts=10, linear_wait=60))
def settle_picture(image_id: int, original: str = "") -> None:
    """Make a picture's renditions, and remove files it has no more use for."""
    renditions.settle(image_id=image_id, original=original)
