"""What staff may do through the API: what their permissions allow them in the admin."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request


class StaffMay(BasePermission):
    """Lets staff pass who have the permission that the view's `rights` name for the method."""

    def has_permission(self, request: Request, view: Any) -> bool:
        right = view.rights.get("GET" if request.method == "HEAD" else request.method)
        # What the view does not do is refused as such.
        return bool(request.user.is_staff and (right is None or request.user.has_perm(right)))
