"""Codes of an authenticator app: RFC 6238 with what every app takes for granted (SHA-1, 6 digits, 30 seconds)."""

import base64
import os
from typing import Any
from urllib.parse import quote

import segno
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.conf import settings
from django.db import transaction

from frozenshop.backoffice.signin.models import Authenticator
from frozenshop.kernel import clock, crypto

STEP_SECONDS = 30
DRIFT = (0, -1, 1)
"""A clock one step off is let through, as RFC 6238 §5.2 suggests."""
SECRET_BYTES = 20


def new_secret() -> str:
    """Return a secret in base32, as apps want it."""
    return base64.b32encode(os.urandom(SECRET_BYTES)).decode()


def uri(secret: str, account: str) -> str:
    issuer = settings.SHOP_NAME
    return f"otpauth://totp/{quote(issuer)}:{quote(account)}?secret={secret}&issuer={quote(issuer)}"


def picture(text: str) -> str:
    """Return an SVG without styles or scripts, dark on white whatever the page's colours are."""
    return segno.make(text, error="m").svg_inline(scale=4, border=3, light="#fff", dark="#000", omitsize=True)


def step_of(secret: str, code: str) -> int | None:
    """Return the time step that a code belongs to, if it is one of now."""
    digits = "".join(code.split())
    if not (digits.isascii() and digits.isdigit() and len(digits) == 6):
        return None
    totp = TOTP(base64.b32decode(secret), 6, SHA1(), STEP_SECONDS)  # noqa: S303
    now = int(clock.now().timestamp())
    for drift in DRIFT:
        at = now + drift * STEP_SECONDS
        try:
            totp.verify(digits.encode(), at)
        except InvalidToken:
            continue
        return at // STEP_SECONDS
    return None


def add(user: Any, secret: str, step: int) -> Authenticator:
    sealed = crypto.seal(secret, purpose=purpose_of(user.pk))
    return Authenticator.objects.create(
        user=user, kind=Authenticator.Kind.TOTP, name="验证器应用", secret_sealed=sealed, last_step=step
    )


def use(authenticator: Authenticator, code: str) -> bool:
    """Say whether a code is right, and use it up: neither it nor an earlier one is taken again, whoever is quicker."""
    secret = crypto.open_sealed(authenticator.secret_sealed, purpose=purpose_of(authenticator.user_id))
    step = step_of(secret, code)
    if step is None:
        return False
    with transaction.atomic():
        unused = Authenticator.objects.filter(pk=authenticator.pk, last_step__lt=step)
        return unused.update(last_step=step, used_at=clock.now()) == 1


def purpose_of(user_pk: object) -> str:
    return f"authenticator:{user_pk}"
