"""Addresses of the buyers' API, the merchant API and the callbacks."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
