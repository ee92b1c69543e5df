"""Jobs of the order floor, each one service call."""

from procrastinate.contrib.django import app
from procrastinate.retry import RetryStrategy

from cart.models import Cart
from orders import carts, mail
from shop.clock import now


@app.task(queue="default", retry=RetryStrategy(max_attempts=10, linear_wait=10))
def empty_cart(cart_id: int) -> None:
    """Take out of a cart what was bought from it."""
    carts.empty_due(cart=Cart.objects.get(pk=cart_id), at=now())


# An outage of the mail server of a day is waited out; after that `requeue_stranded_mails` begins
# anew.
@app.task(queue="mail", retry=RetryStrategy(max_attempts=30, linear_wait=200))
def send_mail(mail_id: int) -> None:
    """Send a mail that the buyer is owed."""
    mail.send(mail_id=mail_id, at=now())


@app.periodic(cron="*/5 * * * *")
@app.task(queue="default", queueing_lock="requeue_stranded_mails")
def requeue_stranded_mails(timestamp: int) -> None:
    """Give unsent mails that lost their job another."""
    mail.requeue_stranded(at=now())
