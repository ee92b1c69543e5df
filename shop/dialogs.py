"""Buttons on a row's admin page: for a page of their own, or a dialog that acts by POST."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect
from unfold.decorators import action
from unfold.forms import BaseDialogForm

Method = TypeVar("Method", bound=Callable[..., HttpResponseBase])


def dialog(
    *, label: str, icon: str, text: str, permission: str, form: type = BaseDialogForm
) -> Callable[[Method], Method]:
    """Make a method (request, valid form, object id) the act behind a button of `actions_detail`.

    A GET shows the dialog and does nothing, without `has_<permission>_permission` not even that.
    """
    mark: Callable[[Method], Method] = action(
        description=label,
        icon=icon,
        permissions=[permission],
        dialog={
            "title": label,
            "description": text,
            "form_class": form,
            "form_submit_text": label,
        },
    )
    return mark


def page(*, label: str, icon: str, permissions: list[str]) -> Callable[[Method], Method]:
    """Make a method (request, object id) the page behind a button of `actions_detail`.

    Of `actions_list` it is the page behind a button of the list, without an id.

    A permission is a name like "app.add_thing", or `has_<permission>_permission` of the admin.
    """
    mark: Callable[[Method], Method] = action(description=label, icon=icon, permissions=permissions)
    return mark


def row_or_404(admin: Any, request: HttpRequest, object_id: str) -> Any:
    """Return the row that a button of `admin` is about. Raises Http404."""
    row = admin.get_object(request, object_id)
    if row is None:
        raise Http404
    return row


def reload(row: Model) -> HttpResponse:
    """Answer a dialog: the browser shows the row's page afresh, with its messages."""
    meta: Any = row._meta
    page = f"admin:{meta.app_label}_{meta.model_name}_change"
    return HttpResponseClientRedirect(reverse(page, args=[row.pk]))
