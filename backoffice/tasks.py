"""Jobs of the back office, each one service call."""

from procrastinate.contrib.django import app

from backoffice import erasing, figures
from backoffice.imports import runs
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


@app.task(queue="default", retry=Patiently())
def go_on_with_import(run_id: int) -> None:
    """Look over, or import, the next products of a file."""
    runs.go_on(run_id=run_id, at=now())


@app.periodic(cron="23 3 * * *")
@app.task(queue="default", queueing_lock="forget_imports")
def forget_imports(timestamp: int) -> None:
    """Delete old files; what they changed stays in the histories."""
    runs.forget(at=now())
