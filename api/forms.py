"""Forms of the pages and of the admin as judges of JSON: their rules are written once."""

from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS
from django.forms import BaseForm

from api.problems import Code, Problem


def require_valid(form: BaseForm) -> Any:
    """Return the cleaned data of a form; raises the problem that lists what is wrong."""
    if form.is_valid():
        return form.cleaned_data
    raise Problem(
        Code.INVALID,
        errors=[
            {
                "field": "" if name == NON_FIELD_ERRORS else name,
                "code": error["code"] or "invalid",
                "message": error["message"],
            }
            for name, errors in form.errors.get_json_data().items()
            for error in errors
        ],
    )
