"""Coming and going, for the audit: who was refused, and who left."""

from django.http import HttpRequest

from frozenshop.kernel import audit
from frozenshop.kernel.changelist import record_act
from frozenshop.kernel.client_address import client_address

NOBODY = "nobody"


def refused(request: HttpRequest, subject: str) -> None:
    """Put a wrong password on record. What was typed isn't: it may be a password in the wrong box."""
    audit.record(NOBODY, "signin.refused", subject, address=client_address(request))


def left(request: HttpRequest) -> None:
    """Put on record that somebody leaves, before their session is gone."""
    if request.method == "POST" and request.user.is_authenticated:
        record_act(request, "signin.left", f"staff:{request.user.pk}")
