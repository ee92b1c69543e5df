"""Jobs of the back office, each one service call."""

from procrastinate.contrib.django import app

from backoffice import erasing, figures
from payments.retries import Patiently
from shop.clock import now


@app.task(queue="default", retry=Patiently())
def finish_erasure(erasure_id: int) -> None:
    """Empty what is left of a person who was erased."""
    erasing.finish(erasure_id=erasure_id, at=now())


@app.periodic(cron="*/10 * * * *")
@app.task(queue="default", queueing_lock="resume_erasures")
def resume_erasures(timestamp: int) -> None:
    """Give erasures that lost their job another."""
    erasing.resume(at=now())


@app.periodic(cron="*/10 * * * *")
@app.task(queue="default", queueing_lock="refresh_figures")
def refresh_figures(timestamp: int) -> None:
    """Count the days that are over, for the front page of the admin."""
    figures.refresh(at=now())


@app.periodic(cron="4-59/15 * * * *")
@app.task(queue="default", lock="refresh_top_products", queueing_lock="refresh_top_products")
def refresh_top_products(timestamp: int) -> None:
    """Count what sold best, for the front page of the admin."""
    figures.refresh_top_products(at=now())
