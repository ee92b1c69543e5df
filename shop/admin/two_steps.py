"""Pages on which staff change many rows: a form, then what it will do, then the deed."""

from datetime import datetime
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseRedirect
from django.template.response import TemplateResponse

# A page that says more is not read.
_ROWS_SHOWN = 200
_CHANGED = "Meanwhile this has changed. Nothing was done yet: please read again what will be."


class Refused(Exception):
    """It cannot be done; the message says why, for staff, and nothing was written."""


class ManyRowsForm(forms.Form):
    """A form that changes many rows; a valid one can say what it will do, and do it."""

    headers: tuple[str, ...]

    def rows(self) -> list[list[Any]]:
        """Return what it will do, a row each, in the columns of `headers`."""
        raise NotImplementedError

    def summary(self) -> str:
        """Return what it will do, in a sentence."""
        raise NotImplementedError

    def carried(self) -> dict[str, str]:
        """Return the fields that the second step sends again."""
        return {name: self[name].value() for name in self.fields}

    def shown(self) -> str:
        """Return a word for what was shown; the deed is done only while it is the same."""
        return ""

    def act(self, *, by: int, at: datetime) -> str:
        """Do it in the name of the user with id `by`; return what was done, in words.

        Raises Refused.
        """
        raise NotImplementedError


def page_context(admin: Any, request: HttpRequest, title: str) -> dict[str, Any]:
    """Return what the admin's own pages show around a page."""
    around: dict[str, Any] = admin.admin_site.each_context(request)
    return around | {"title": title, "opts": admin.opts}


def in_two_steps(
    request: HttpRequest, context: dict[str, Any], form: ManyRowsForm, back: str, *, at: datetime
) -> HttpResponse:
    """Ask what to do, say what that means, and do just that when it is confirmed."""
    is_confirmed = "confirmed" in request.POST
    context |= {"form": form, "back": back}
    if "change" not in request.POST and form.is_valid():
        if is_confirmed and request.POST.get("shown", "") == form.shown():
            try:
                done = form.act(by=cast(int, request.user.pk), at=at)
            except Refused as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, done)
                return HttpResponseRedirect(back)
        else:
            if is_confirmed:
                messages.warning(request, _CHANGED)
            rows = form.rows()
            context |= {
                "table": {"headers": form.headers, "rows": rows[:_ROWS_SHOWN]},
                "more": max(len(rows) - _ROWS_SHOWN, 0),
            }
    status = 422 if form.is_bound and form.errors else 200
    return TemplateResponse(request, "admin/shop/two_steps.html", context, status=status)
