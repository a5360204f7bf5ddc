"""Security keys and passkeys (WebAuthn) as a second factor; py_webauthn reads and checks what browsers send."""

import hashlib
import ipaddress
import json
from typing import Any
from urllib.parse import urlsplit

import webauthn
from django.conf import settings
from django.http import HttpRequest
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, options_to_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from frozenshop.backoffice.signin.models import Authenticator
from frozenshop.backoffice.signin.totp import purpose_of
from frozenshop.kernel import clock, crypto
from frozenshop.kernel.changelist import staff_user

CHALLENGE = "passkey_challenge"
Kind = Authenticator.Kind
MALFORMED = (WebAuthnException, ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What any text that claims to be a browser's answer may come to."""


def relying_party() -> str:
    """Return the host name that keys are bound to; empty where browsers allow none (an address in numbers)."""
    host = urlsplit(settings.PUBLIC_URL).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host
    return ""


def registration_options(request: HttpRequest) -> str:
    """Return the JSON that a browser makes a new key from; its challenge waits in the session, for one answer."""
    user = request.user
    options = webauthn.generate_registration_options(
        rp_id=relying_party(),
        rp_name=settings.SHOP_NAME,
        user_name=user.get_username(),
        user_id=bytes.fromhex(crypto.blind_index(str(user.pk), purpose="passkey-user")),
        exclude_credentials=_descriptors(user),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.DISCOURAGED,
            user_verification=UserVerificationRequirement.PREFERRED,
        ),
    )
    request.session[CHALLENGE] = bytes_to_base64url(options.challenge)
    return options_to_json(options)


def register(request: HttpRequest, answer: str, name: str) -> Authenticator | None:
    """Keep the key that a browser made, or return None where its answer is not one to the challenge."""
    try:
        made = webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=_challenge(request),
            expected_rp_id=relying_party(),
            expected_origin=settings.PUBLIC_URL,
        )
    except MALFORMED:
        return None
    digest = hashlib.sha256(made.credential_id).hexdigest()
    if Authenticator.objects.filter(credential_hash=digest).exists():
        return None
    return Authenticator.objects.create(
        user_id=staff_user(request).pk,
        kind=Kind.PASSKEY,
        name=name or "安全密钥",
        secret_sealed=crypto.seal(bytes_to_base64url(made.credential_public_key), purpose=purpose_of(request.user.pk)),
        credential_id=bytes_to_base64url(made.credential_id),
        credential_hash=digest,
        last_step=made.sign_count,
    )


def assertion_options(request: HttpRequest) -> str:
    """Return the JSON that a browser lets one of the person's keys sign; empty where they have none."""
    descriptors = _descriptors(request.user) if relying_party() else []
    if not descriptors:
        return ""
    options = webauthn.generate_authentication_options(
        rp_id=relying_party(),
        allow_credentials=descriptors,
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    request.session[CHALLENGE] = bytes_to_base64url(options.challenge)
    return options_to_json(options)


def use(request: HttpRequest, answer: str) -> bool:
    """Say whether one of the person's keys has signed the challenge that waits; no answer is good twice."""
    try:
        credential: dict[str, Any] = json.loads(answer)
        digest = hashlib.sha256(base64url_to_bytes(credential["rawId"])).hexdigest()
        theirs = Authenticator.objects.filter(user=request.user.pk, kind=Kind.PASSKEY, credential_hash=digest).first()
        if theirs is None:
            return False
        public_key = crypto.open_sealed(theirs.secret_sealed, purpose=purpose_of(theirs.user_id))
        shown = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=_challenge(request),
            expected_rp_id=relying_party(),
            expected_origin=settings.PUBLIC_URL,
            credential_public_key=base64url_to_bytes(public_key),
            credential_current_sign_count=theirs.last_step,
        )
    except MALFORMED:
        return False
    as_read = Authenticator.objects.filter(pk=theirs.pk, last_step=theirs.last_step)
    return as_read.update(last_step=shown.new_sign_count, used_at=clock.now()) == 1


def _challenge(request: HttpRequest) -> bytes:
    """Take the challenge out of the session. Raises KeyError if none waits."""
    return base64url_to_bytes(request.session.pop(CHALLENGE))


def _descriptors(user: Any) -> list[PublicKeyCredentialDescriptor]:
    keys = Authenticator.objects.filter(user=user.pk, kind=Kind.PASSKEY).values_list("credential_id", flat=True)
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(key)) for key in keys]
