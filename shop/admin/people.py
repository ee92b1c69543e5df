"""Who did something: append-only rows name people by plain ids."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest


class NamesWho:
    """Shows the user whose id a row keeps in `who_column`, found in the row's own query."""

    who_column: str

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)  # type: ignore[misc]
        users = get_user_model().objects.filter(pk=OuterRef(self.who_column))
        named: QuerySet[Any] = rows.annotate(who=Subquery(users.values("email")))
        return named

    @admin.display(description="by")
    def by(self, row: Any) -> str:
        return getattr(row, "who", None) or "-"
