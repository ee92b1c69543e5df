"""The doctor's page in the admin: who may see it, and that only its button examines."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.models import User
from accounts.tests.factories import UserFactory, a_clerk
from config.tests.live import Scene, execute, working
from conftest import Sandbox
from shop.clock import now


@pytest.fixture
def machinist(client: Client, db: None) -> Client:
    """Somebody of the staff who may see to the machinery."""
    client.force_login(a_clerk("change_procrastinatejob"))
    return client


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post"])
def test_staff_without_the_right_are_refused(client: Client, method: str) -> None:
    client.force_login(UserFactory(is_staff=True))

    assert getattr(client, method)("/admin/doctor/").status_code == 403
    assert "Checkup" not in client.get("/admin/").content.decode()


def test_to_look_asks_nobody(machinist: Client, sandbox: Sandbox) -> None:
    sandbox.fault(kind="refuse", path="/")

    answer = machinist.get("/admin/doctor/")

    assert "Nobody has had it look lately." in answer.content.decode()
    assert sandbox.get("faults")["data"][0]["times"] == 1
    assert "Checkup" in machinist.get("/admin/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_the_button_examines_and_what_was_found_stays(scene: Scene, boss: User) -> None:
    client = Client(headers={"Host": "localhost", "X-Forwarded-Proto": "https"})
    client.force_login(boss)
    scene.settings.STAFF_EMAIL = ""
    # So that a password is enough here; the same check names it.
    scene.settings.STAFF_SECOND_FACTOR = False

    with working():
        at_once = client.post("/admin/doctor/").content.decode()
    execute("DELETE FROM procrastinate_workers")
    last = cache.get("doctor")
    cache.set("doctor", last | {"at": now() - timedelta(minutes=5)})
    later = client.get("/admin/doctor/").content.decode()

    for page in (at_once, later):
        assert "1 of 22 checks found a fault" in page
        assert "(shop.W004) STAFF_EMAIL is empty" in page
        assert "Set an address that is read daily" in page
        assert "a worker is alive" in page
    assert ">0\xa0minutes ago</time>" in at_once
    assert ">5\xa0minutes ago</time>" in later
