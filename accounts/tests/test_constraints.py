import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts.models import User
from accounts.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def test_the_database_refuses_two_addresses_that_differ_in_case_alone() -> None:
    UserFactory(email="reader@example.com")

    # Past save(), which would have made them equal.
    with (
        pytest.raises(IntegrityError, match="user_email_unique_without_case"),
        transaction.atomic(),
    ):
        User.objects.bulk_create([User(email="Reader@Example.com")])

    assert list(User.objects.values_list("email", flat=True)) == ["reader@example.com"]


def test_a_form_is_told_of_an_address_that_differs_in_case_alone() -> None:
    UserFactory(email="reader@example.com")

    with pytest.raises(ValidationError, match="already an account with this e-mail address"):
        User(email="READER@example.com", password="!").full_clean()


@pytest.mark.parametrize("make", [User.objects.create_user, User.objects.create_superuser])
def test_an_address_is_kept_in_lower_case(make: object) -> None:
    assert callable(make)
    user = make("Reader.One@Example.COM")

    user.refresh_from_db()
    assert user.email == "reader.one@example.com"
    assert User.objects.get_by_natural_key("READER.one@example.com") == user
