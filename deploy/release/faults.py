"""Versions that do badly, for the drill: this program with one fault each, planted by faulty_settings.py."""

import os
import sys
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase

FAULTS = ("errors", "slow", "crash", "tasks")
"""The order page fails · every call takes 3 s more · it ends at its start · its worker fails its tasks."""
FAULT = os.environ.get("FROZENSHOP_VERSION", "")


class FaultMiddleware:
    """Stands inside what is counted, as a fault in a view would."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if FAULT == "slow" and request.path.startswith(("/api/", "/merchant/", "/callbacks/")):
            time.sleep(3)
        if FAULT == "errors" and request.method == "GET" and request.path.startswith("/api/orders/"):
            return HttpResponse(status=500)
        return self.get_response(request)


def crash() -> None:
    if FAULT == "crash":
        sys.exit("A fault that was planted: this version ends at its start.")
