"""Valid users, one call each."""

from typing import Any

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
