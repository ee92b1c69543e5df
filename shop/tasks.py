"""Jobs of the catalog, each one service call."""

from procrastinate.contrib.django import app
from procrastinate.retry import RetryStrategy

from shop import low_stock, publishing, renditions
from shop.clock import now


# A storage that does not answer is waited for most of an hour; afterwards `make_renditions` helps.
@app.task(queue="images", retry=RetryStrategy(max_attempts=10, linear_wait=60))
def settle_picture(image_id: int, original: str = "") -> None:
    """Make a picture's renditions, and remove files it has no more use for."""
    renditions.settle(image_id=image_id, original=original)


# Each hour until it is done: whatever was away in the morning, the day's mail is not left out. The
# lock keeps two from sending it at once.
@app.periodic(cron="7 6-23 * * *")
@app.task(
    queue="mail",
    lock="tell_of_low_stock",
    queueing_lock="tell_of_low_stock",
    retry=RetryStrategy(max_attempts=5, linear_wait=60),
)
def tell_of_low_stock(timestamp: int) -> None:
    """Write to staff what is low on stock, once a day."""
    low_stock.tell(at=now())


@app.periodic(cron="* * * * *")
@app.task(queue="default", queueing_lock="publish_due")
def publish_due(timestamp: int) -> None:
    """Publish the products whose time has come."""
    publishing.publish_due(at=now())
