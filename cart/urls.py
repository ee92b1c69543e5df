from django.http import HttpResponse
from django.urls import path

app_name = "cart"
urlpatterns = [
    path("", lambda request: HttpResponse("cart"), name="detail"),
    path("add/", lambda request: HttpResponse("cart"), name="add"),
]
