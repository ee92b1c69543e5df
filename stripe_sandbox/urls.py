from django.urls import path, re_path

from stripe_sandbox import (
    account,
    books,
    challenges,
    control,
    control_page,
    mishaps,
    money_control,
    pages,
    strange_events,
)
from stripe_sandbox.api import api

urlpatterns = [
    re_path(r"^v1/", api),
    path("c/pay/<str:session_id>", pages.pay, name="pay"),
    path("c/pay/<str:session_id>/confirm/<str:challenge_id>", challenges.confirm, name="confirm"),
    path(
        "c/authenticate/<str:intent_id>/<str:challenge_id>",
        challenges.authenticate,
        name="authenticate",
    ),
    path("c/checkout.css", pages.stylesheet),
    path("c/icon.svg", pages.icon),
    path("_sandbox/", control_page.show, name="control"),
    path("_sandbox/control.css", control_page.stylesheet),
    path(
        "_sandbox/faults",
        control.control(
            GET=control.list_faults, POST=control.add_fault, DELETE=control.clear_faults
        ),
    ),
    path("_sandbox/account", control.control(POST=account.change)),
    path("_sandbox/clock", control.control(POST=control.advance_clock)),
    path("_sandbox/bank_debits/<str:intent_id>", control.control(POST=control.decide_bank_debit)),
    path(
        "_sandbox/objects/<str:kind>/<str:status>",
        control.control(GET=money_control.list_by_status),
    ),
    path("_sandbox/refunds", control.control(POST=money_control.refund_in_dashboard)),
    path("_sandbox/refunds/<str:refund_id>", control.control(POST=money_control.decide_refund)),
    path("_sandbox/events", control.control(POST=strange_events.make)),
    path("_sandbox/disputes", control.control(POST=money_control.open_dispute)),
    path("_sandbox/disputes/<str:dispute_id>", control.control(POST=money_control.move_dispute)),
    path("_sandbox/second_charges", control.control(POST=mishaps.charge_again)),
    path("_sandbox/books", control.control(GET=books.read)),
    path("_sandbox/deliveries", control.control(GET=control.list_deliveries)),
    path("_sandbox/deliveries/flush", control.control(POST=control.flush_deliveries)),
    path("_sandbox/reset", control.control(POST=control.reset)),
]
