"""Valid users, one call each."""

from typing import Any

from django.contrib.auth.models import Group, Permission
from factory.declarations import Sequence
from factory.django import DjangoModelFactory

from accounts.models import User

PASSWORD = "a long walk by the sea"


class UserFactory(DjangoModelFactory[User]):
    """A shopper; without `password` nobody can sign in as him, and the test is faster."""

    class Meta:
        model = User

    email = Sequence(lambda n: f"reader-{n}@example.com")

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **kwargs: Any) -> User:
        return model_class.objects.create_user(*args, **kwargs)


def a_clerk(may: str) -> User:
    """Return one of the staff with each permission that the expression matches, like "view_.*"."""
    clerk: User = UserFactory(is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__regex=f"^({may})$"))
    return clerk


def one_of(role: str) -> User:
    """Return one of the staff in one of the shop's groups, like "Support"."""
    clerk: User = UserFactory(is_staff=True)
    clerk.groups.add(Group.objects.get(name=role))
    return clerk
