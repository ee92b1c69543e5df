"""Addresses of checkout and of the order pages."""

from django.urls import path

from payments import order_pages, views

app_name = "payments"
urlpatterns = [
    path("checkout/", views.checkout, name="checkout"),
    path("orders/", order_pages.order_list, name="orders"),
    path("orders/find/", order_pages.find_order, name="find_order"),
    path("orders/<slug:number>/", order_pages.order, name="order"),
    path("orders/<slug:number>/<slug:signature>/", order_pages.order_by_link, name="order_by_link"),
    path("orders/<slug:number>/<slug:signature>/pay/", views.pay, name="pay"),
    path("orders/<slug:number>/<slug:signature>/cancel/", views.cancel, name="cancel"),
    path("orders/<slug:number>/<slug:signature>/success/", views.success, name="success"),
    path("orders/<slug:number>/<slug:signature>/left/", views.left, name="left"),
]
