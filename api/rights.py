"""What staff may do through the API: what their permissions allow them in the admin."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from api.problems import Code, Problem
from api.security import session_of
from api.staff import Lack, lack

_CODES = {Lack.SIGN_IN: Code.SIGN_IN_AGAIN, Lack.SECOND_FACTOR: Code.SECOND_FACTOR_MISSING}


class StaffMay(BasePermission):
    """Lets staff pass who have the permission that the view's `rights` name for the method.

    Their sign-in must be as good as for the admin; raises the Problem that says what it lacks.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user.is_staff:
            return False
        if lacking := lack(request.user, session_of(request)):
            raise Problem(_CODES[lacking])
        right = view.rights.get("GET" if request.method == "HEAD" else request.method)
        # What the view does not do is refused as such.
        return right is None or request.user.has_perm(right)
