"""Customers in the admin: found by address or name, shown on one page, exported, erased."""

from datetime import datetime
from typing import Any, cast
from urllib.parse import urlencode
from uuid import uuid4

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import validate_email
from django.db.models import Count, Max, Min, Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.text import Truncator
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.models import User
from backoffice import customer_export, customers, erasing, services
from backoffice.customers import Customer
from backoffice.exporting import export
from backoffice.models import CustomerNote, Erasure
from orders.models import Order, OrderMail
from payments.admin import deeds, display
from payments.admin.corrections import NoteForm
from payments.models import InboxEvent
from shop import exports
from shop.clock import now
from shop.read_only import ReadOnlyAdmin

# Both: a customer is a person, and what he ordered.
VIEW = ("accounts.view_user", "orders.view_order")
EXPORT = "accounts.export_user"
ERASE = "accounts.erase_user"
_MONEY = "payments.view_ledgerentry"
# Who may answer a person's question what is known of him may not yet take the data of all away.
EXPORT_MANY = (*VIEW, EXPORT, "orders.export_order", _MONEY)
_ADD_NOTE = "backoffice.add_customernote"
# So many orders are shown, the newest; the list of orders has them all.
_SHOWN = 20


def address_of(email: str) -> str:
    """Return the address of a customer's page."""
    return f"{reverse('customer')}?{urlencode({'email': email})}"


@require_GET
def search(request: HttpRequest) -> HttpResponse:
    """Find customers."""
    _require(request, *VIEW)
    words = request.GET.get("q", "").strip()
    found = customers.search(words) if words else []
    context = admin.site.each_context(request) | {
        "title": "Customers",
        "words": words,
        "found": [(customer, address_of(customer.email)) for customer in found],
        "may_export": (found or not words) and request.user.has_perms(EXPORT_MANY),
        "query": f"?{urlencode({'q': words})}" if words else "",
    }
    return TemplateResponse(request, "admin/backoffice/customers.html", context)


@require_GET
def export_customers(request: HttpRequest) -> HttpResponseBase:
    """Send a file of the customers that are searched for, of all where nothing is."""
    _require(request, *EXPORT_MANY)
    words = request.GET.get("q", "").strip()
    found = customer_export.newest_orders(words)
    return exports.export(request, customer_export.SHEET, found, by="search" if words else "")


@require_http_methods(["GET", "HEAD", "POST"])
def customer(request: HttpRequest) -> HttpResponse:
    """Show a customer; POST keeps a note on him."""
    _require(request, *VIEW)
    shown = _customer(request)
    may_note = request.user.has_perm(_ADD_NOTE) and not shown.is_erased
    note = NoteForm(request.POST or None, initial={"key": uuid4()})
    if request.method == "POST":
        if not may_note:
            raise PermissionDenied
        if note.is_valid():
            services.write_note(
                email=shown.email,
                text=note.cleaned_data["text"],
                key=note.cleaned_data["key"],
                by=cast(User, request.user).pk,
                at=now(),
            )
            messages.success(request, "The note is kept.")
            return HttpResponseRedirect(address_of(shown.email))
    orders = shown.orders()
    notes = CustomerNote.objects.filter(email=shown.email)
    may_see_money = request.user.has_perm(_MONEY)
    context = admin.site.each_context(request) | {
        "title": Truncator(shown.email).chars(80),
        "customer": shown,
        "orders": orders.order_by("-placed_at", "-pk")[:_SHOWN],
        "span": orders.aggregate(count=Count("pk"), first=Min("placed_at"), last=Max("placed_at")),
        "may_see_money": may_see_money,
        "values": customers.values_of(orders) if may_see_money else [],
        "notes": notes.annotate(by_email=display.email_of("by_user_id")),
        "other_addresses": [(other, address_of(other)) for other in shown.other_addresses()],
        "note": note if may_note else None,
        "may_export": request.user.has_perm(EXPORT) and not shown.is_erased,
        "may_erase": request.user.has_perm(ERASE) and not shown.is_erased,
        "query": urlencode({"email": shown.email}),
    }
    status = 422 if note.errors else 200
    return TemplateResponse(request, "admin/backoffice/customer.html", context, status=status)


@require_POST
def export_customer(request: HttpRequest) -> HttpResponse:
    """Hand out as a file what is known of a person; that it was done is kept in the history."""
    _require(request, *VIEW, EXPORT)
    asked = _customer(request)
    at = now()
    known = export(customer=asked, at=at)
    by = cast(User, request.user).pk
    if asked.user:
        exported: Any = User.objects.filter(pk=asked.user.pk)
    else:
        newest = asked.own_orders().order_by("-placed_at", "-pk").values("pk")[:1]
        exported = Order.objects.filter(pk__in=list(newest.values_list("pk", flat=True)))
    LogEntry.objects.log_actions(by, exported, CHANGE, "Personal data exported")
    answer = JsonResponse(known, json_dumps_params={"indent": 2, "ensure_ascii": False})
    # Whose they are is no name for a file.
    answer["Content-Disposition"] = f'attachment; filename="personal-data-{at:%Y-%m-%d}.json"'
    return answer


@require_http_methods(["GET", "HEAD", "POST"])
def erase_customer(request: HttpRequest) -> HttpResponse:
    """Erase what is known of a person, in two steps."""
    _require(request, *VIEW, ERASE)
    asked = _customer(request)
    form = EraseForm(asked, cast(User, request.user), request.POST or None)
    context = admin.site.each_context(request) | {"title": f"{EraseForm.title} {asked.email}?"}
    if "confirmed" in request.POST and form.was_sent():
        messages.info(request, "This was sent before, and done once.")
        return HttpResponseRedirect(reverse("customers"))
    back = address_of(asked.email)
    answer = deeds.do(request, context, form, back)
    if isinstance(answer, HttpResponseRedirect) and form.erasure:
        return HttpResponseRedirect(address_of(form.erasure.erased_as))
    return answer


class EraseForm(deeds.TwoSteps):
    title, verb = "Erase", "Erase for good"

    why = forms.ChoiceField(
        choices=[("", "choose"), *Erasure.Why.choices], widget=UnfoldAdminSelectWidget
    )

    def __init__(self, asked: Customer, by: User, data: Any = None) -> None:
        super().__init__(data)
        self.asked, self.by = asked, by
        self.erasure: Erasure | None = None

    def was_sent(self) -> bool:
        key = self.sent_key()
        return key is not None and Erasure.objects.filter(form_key=key).exists()

    def clean(self) -> None:
        try:
            erasing.check(self.asked)
        except erasing.CannotErase as error:
            raise ValidationError(str(error)) from error

    def consequences(self) -> list[str]:
        return _consequences(self.asked)

    def act(self, *, by: int, at: datetime) -> str:
        try:
            self.erasure = erasing.begin(
                customer=self.asked,
                why=self.cleaned_data["why"],
                by=self.by,
                key=self.cleaned_data["key"],
                at=at,
            )
        except erasing.CannotErase as error:
            raise deeds.CannotDo(str(error)) from error
        return "Erased. Copies of what Stripe told are emptied within minutes."


def _consequences(asked: Customer) -> list[str]:
    orders = asked.orders()
    of_orders = orders.order_by().values("pk")
    facts = orders.aggregate(
        count=Count("pk"),
        others=Count("pk", filter=Q(user__isnull=False) & ~Q(user=asked.user)),
    )
    mails = OrderMail.objects.filter(order__in=of_orders).count()
    events = InboxEvent.objects.filter(order__in=of_orders, payload__isnull=False).count()
    notes = CustomerNote.objects.filter(email=asked.email).count()
    said = []
    if asked.user:
        said.append(
            f"The account {asked.email} is closed and emptied: name, address, password, second "
            "step, cart, sessions. Nobody can sign in to it again."
        )
    said.append(
        f"Of orders by this person ({facts['count']}) e-mail address, names, addresses, client "
        "address and what staff wrote on them is emptied; of addresses the country stays."
    )
    if facts["others"]:
        said.append(
            f"Among them are orders that other accounts placed with this address "
            f"({facts['others']})."
        )
    said += [
        f"Notes on this customer ({notes}) are deleted.",
        f"What Stripe told of these orders ({events} events), its copies, and personal values in "
        "the log of changes by staff are emptied.",
        f"What stays, because books must be kept: numbers, amounts, titles, dates, ids at Stripe, "
        f"and that mails were sent ({mails}).",
        "At Stripe nothing is erased: have that done in Stripe's dashboard.",
        "No mail reaches this person any more, and nothing of this can be undone.",
    ]
    if others := asked.other_addresses():
        said.append(
            f"What a guest ordered by {', '.join(others)} is not part of it: look there, too."
        )
    return said


@admin.register(Erasure)
class ErasureAdmin(ReadOnlyAdmin):
    list_display = ("asked_at", "why", "orders", "by", "finished_at")
    list_filter = ("why", "asked_at")
    fields = ("asked_at", "why", "by", "numbers", "erased_as", "finished_at")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(by_email=display.email_of("by_user_id"))

    def orders(self, erasure: Erasure) -> int:
        return len(erasure.order_ids)

    @admin.display(description="orders")
    def numbers(self, erasure: Erasure) -> str:
        orders = Order.objects.filter(pk__in=erasure.order_ids).order_by("pk")
        return ", ".join(orders.values_list("number", flat=True)) or "none"

    def by(self, erasure: Erasure) -> str:
        return getattr(erasure, "by_email", None) or f"user {erasure.by_user_id}"


def _require(request: HttpRequest, *permissions: str) -> None:
    if not request.user.has_perms(permissions):
        raise PermissionDenied


def _customer(request: HttpRequest) -> Customer:
    """Return whom the address in the query is of; raises Http404 for what is no address."""
    email = request.GET.get("email", "")
    try:
        validate_email(email)
    except ValidationError as error:
        raise Http404 from error
    return customers.customer_of(email)
