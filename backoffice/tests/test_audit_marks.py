"""A mark lasts as long as its transaction: nobody inherits it, and no rollback loses it unseen."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier
from typing import Any, cast

import pytest
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from accounts.models import User
from accounts.tests.factories import UserFactory
from backoffice.audit import acting, staff_act
from backoffice.audit_trigger import MARK
from backoffice.models import AuditEntry
from backoffice.tests.entries import logged
from shop.models import Category
from shop.tests.factories import CategoryFactory, VariantFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def category() -> Category:
    category: Category = CategoryFactory(name="Poetry", position=0)
    return category


def move(category: Category, position: int) -> None:
    Category.objects.filter(pk=category.pk).update(position=position)


def positions() -> list[int]:
    """Return the positions that the log knows a category was moved to."""
    return [after["position"] for _action, _name, _before, after in logged("shop.category")]


def mark() -> str | None:
    """Return the mark as the database has it on this very connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s, true)", [MARK])
        standing: str | None = cursor.fetchone()[0]
    return standing


def backend_pid() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid: int = cursor.fetchone()[0]
    return pid


def post(view: Any, user: User) -> HttpResponse:
    """Send a POST of this user through the middleware to a view."""
    request = RequestFactory().post("/")
    request.user = user
    request.resolver_match = None
    return staff_act(view)(request)


def test_a_statement_that_is_its_own_transaction_is_logged_and_leaves_no_mark(
    boss: User, category: Category
) -> None:
    with acting(user_id=boss.pk, how="a test"):
        move(category, 1)
        assert not mark()

    move(category, 2)
    assert positions() == [1]


def test_what_is_rolled_back_leaves_no_entry(boss: User, category: Category) -> None:
    def fails(request: HttpRequest) -> HttpResponse:
        with transaction.atomic():
            move(category, 1)
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - the view's own
        post(fails, boss)

    assert logged() == []
    assert not mark()
    move(category, 2)
    assert logged() == []


def test_after_a_rollback_to_a_savepoint_and_after_a_whole_one_it_logs_on(
    boss: User, category: Category
) -> None:
    def undone(position: int) -> None:
        with transaction.atomic():
            move(category, position)
            transaction.set_rollback(True)

    with acting(user_id=boss.pk, how="a test"):
        with transaction.atomic():
            undone(1)
            move(category, 2)
            undone(3)
            move(category, 4)
        undone(5)
        move(category, 6)

    assert positions() == [2, 4, 6]


def test_one_setting_serves_a_whole_transaction(boss: User, category: Category) -> None:
    with (
        CaptureQueriesContext(connection) as queries,
        acting(user_id=boss.pk, how="a test"),
        transaction.atomic(),
    ):
        for position in range(1, 6):
            move(category, position)

    settings = [query for query in queries if "set_config" in query["sql"]]
    assert (len(settings), positions()) == (1, [1, 2, 3, 4, 5])


def test_within_a_transaction_that_goes_on_the_mark_ends_with_the_block(
    boss: User, category: Category
) -> None:
    other = UserFactory()

    with transaction.atomic():
        with acting(user_id=boss.pk, how="a test"):
            move(category, 1)
            with acting(user_id=other.pk, how="a test"):
                move(category, 2)
            move(category, 3)
        assert not mark()
        move(category, 4)

    who = AuditEntry.objects.order_by("pk").values_list("by_user_id", flat=True)
    assert list(zip(who, positions(), strict=True)) == [(boss.pk, 1), (other.pk, 2), (boss.pk, 3)]


def test_a_failed_statement_inside_is_told_as_itself(boss: User, category: Category) -> None:
    with (
        pytest.raises(Exception, match="category_is_not_its_own_parent"),
        transaction.atomic(),
        acting(user_id=boss.pk, how="a test"),
    ):
        Category.objects.filter(pk=category.pk).update(parent=category.pk)

    assert not mark()
    assert logged() == []


def test_a_pooled_connection_that_a_broken_request_gave_back_has_no_mark(
    boss: User, category: Category
) -> None:
    pids: list[int] = []

    def breaks(request: HttpRequest) -> HttpResponse:
        with transaction.atomic():
            move(category, 1)
            assert mark()
            pids.append(backend_pid())
            # Neither committed nor rolled back, as when the process is told to end.
            connection.close()
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - the view's own
        post(breaks, boss)

    # The pool hands its connections out in turn.
    while [backend_pid()] != pids:
        connection.close()
    assert not mark()
    move(category, 2)
    assert logged() == []


def test_a_connection_that_takes_the_place_of_another_is_marked_anew(
    boss: User, category: Category
) -> None:
    with acting(user_id=boss.pk, how="a test"):
        with transaction.atomic():
            move(category, 1)
        connection.close()
        with transaction.atomic():
            move(category, 2)

    assert positions() == [1, 2]


def test_threads_do_not_log_each_others_work(boss: User) -> None:
    categories = [CategoryFactory(position=0) for _ in range(4)]
    gate = Barrier(4)

    def work(number: int) -> None:
        with closing(connection):
            if number % 2:
                move_all(number)
            else:
                with acting(user_id=boss.pk + number, how="a test"):
                    move_all(number)

    def move_all(number: int) -> None:
        for position in range(1, 6):
            gate.wait()
            move(categories[number], position)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))

    found = AuditEntry.objects.order_by("by_user_id", "pk").values_list("by_user_id", "row_id")
    assert list(found) == [(boss.pk + n, str(categories[n].pk)) for n in (0, 2) for _ in range(5)]


@pytest.fixture
def clerk_and_reader() -> Iterator[tuple[Client, Client]]:
    clients = Client(), Client()
    clients[0].force_login(User.objects.create_superuser("clerk@example.com"))
    clients[1].force_login(UserFactory())
    return clients  # type: ignore[return-value]


def test_a_shopper_after_staff_on_one_connection(
    clerk_and_reader: tuple[Client, Client], category: Category
) -> None:
    clerk, reader = clerk_and_reader
    variant = VariantFactory()
    page = reverse("admin:shop_category_change", args=[category.pk])

    moved = clerk.post(page, {"name": "Poetry", "slug": category.slug, "position": 1})
    bought = reader.post(reverse("cart:add"), {"variant": variant.pk, "quantity": 1})

    assert (moved.status_code, bought.status_code) == (302, 302)
    assert [entry.how for entry in AuditEntry.objects.all()] == ["admin:shop_category_change"]
    assert not mark()


def test_a_page_that_does_not_ask_who_its_visitor_is_has_nobody_looked_up(
    category: Category,
) -> None:
    def look_up() -> User:
        raise AssertionError("this costs two queries")

    def view(request: HttpRequest) -> HttpResponse:
        move(category, 1)
        return HttpResponse()

    answer = post(view, cast(User, SimpleLazyObject(look_up)))

    assert (answer.status_code, logged()) == (200, [])


def test_those_who_are_not_staff_pay_no_query(
    clerk_and_reader: tuple[Client, Client], category: Category
) -> None:
    _clerk, reader = clerk_and_reader
    variant = VariantFactory()
    sent = {"variant": variant.pk, "quantity": 1}

    for client in (Client(), reader):
        with CaptureQueriesContext(connection) as queries:
            assert client.post(reverse("cart:add"), sent).status_code == 302

        assert not [query for query in queries if "set_config" in query["sql"]]
