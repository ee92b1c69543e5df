from django.urls import path

from cart import views

app_name = "cart"
urlpatterns = [
    path("", views.detail, name="detail"),
    path("add/", views.add, name="add"),
    path("clear/", views.clear, name="clear"),
    path("lines/<int:variant_id>/", views.update, name="update"),
    path("lines/<int:variant_id>/remove/", views.remove, name="remove"),
]
