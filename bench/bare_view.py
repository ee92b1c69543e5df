"""One query by primary key, one template."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path

from shop.models import Product


def bare(request: HttpRequest, pk: int) -> HttpResponse:
    product = get_object_or_404(Product.objects.defer("search"), pk=pk)
    return render(request, "bench/bare.html", {"product": product})


urlpatterns = [path("<int:pk>/", bare)]
