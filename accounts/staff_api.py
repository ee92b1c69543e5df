"""People, for staff: what the admin shows of them, and closing an account."""

from typing import cast

from django.db.models import Q, QuerySet
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import services
from accounts.models import User
from accounts.serializers import UserQuery, UserSerializer
from api.pages import NewestFirst
from api.problems import Code, Problem
from api.schema import operation
from api.views import StaffView


class Users(StaffView):
    rights = {"GET": "accounts.view_user"}
    pagination_class = NewestFirst

    @operation("listUsers", {200: UserSerializer(many=True)}, query=UserQuery)
    def get(self, request: Request) -> Response:
        """List people, who came last first."""
        return self.listed(_asked_for(self.read_query(UserQuery)), UserSerializer)


def _asked_for(asked: dict[str, object]) -> QuerySet[User]:
    users = User.objects.all()
    if words := asked.pop("search", None):
        users = users.filter(Q(email__icontains=words) | Q(name__icontains=words))
    return users.filter(**asked)


class UserDetail(StaffView):
    rights = {"GET": "accounts.view_user"}

    @operation("getUser", {200: UserSerializer})
    def get(self, request: Request, public_id: str) -> Response:
        """Show a person."""
        return Response(UserSerializer(get_object_or_404(User, public_id=public_id)).data)


class Deactivate(StaffView):
    rights = {"POST": "accounts.change_user"}

    @operation("deactivateUser", {200: UserSerializer}, problems=[Code.NOT_DEACTIVATABLE])
    def post(self, request: Request, public_id: str) -> Response:
        """Close an account. Nobody can sign in to it, and its tokens are refused from now on."""
        user = get_object_or_404(User, public_id=public_id)
        closed = services.deactivate(user=user, by=cast(User, request.user))
        return Response(UserSerializer(closed).data)

    def problem_of(self, error: Exception) -> Problem | None:
        if isinstance(error, services.CannotDeactivate):
            return Problem(Code.NOT_DEACTIVATABLE, str(error))
        return None
