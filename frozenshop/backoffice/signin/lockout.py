"""Failures counted, and who has failed too often waits: by account and address, by address, by second factor.

An attempt is counted before it is checked, by a conditional UPDATE, so that no number of attempts at once gets more
tries; one that succeeds is taken back. No scope is an account alone: nobody outside can lock a person out whose name
they know. And where all addresses look the same (a proxy that isn't declared), a browser in which the person has signed
in before is counted for itself, so that an attacker behind the same address doesn't lock the shop out.
"""

import datetime as dt
import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import signing
from django.db import IntegrityError, transaction
from django.db.models import F
from django.http import HttpRequest, HttpResponseBase

from frozenshop.backoffice import audit_signin
from frozenshop.backoffice.signin import metrics
from frozenshop.backoffice.signin.models import SignInAttempts
from frozenshop.kernel import audit, clock, crypto, purging
from frozenshop.kernel.client_address import client_address

Kind = SignInAttempts.Kind
WINDOW = dt.timedelta(minutes=15)
LIMITS: Mapping[str, int] = {Kind.ACCOUNT: 5, Kind.DEVICE: 5, Kind.ADDRESS: 30, Kind.FACTOR: 5}
WRONG = "用户名或密码不正确，或账号不能登录后台。请注意区分大小写。"
LOCKED = "尝试次数过多，请 15 分钟后再试，或请管理员解除锁定。"
DEVICE_COOKIE = "fs_device"
DEVICE_AGE = dt.timedelta(days=90)
_SALT = "frozenshop.backoffice.signin.device"


@dataclass(frozen=True, slots=True)
class Scope:
    """What failures are counted under; `account` and `subject` (`staff:7`) only where there is such an account."""

    kind: Kind
    key: str
    account: str = ""
    address: str = ""
    subject: str = ""

    @property
    def digest(self) -> str:
        return crypto.blind_index(f"{self.kind}:{self.key}", purpose="sign-in")


def take(scope: Scope) -> bool:
    """Count one more attempt, and say whether it may be made. What was refused does not prolong the wait."""
    now = clock.now()
    rows = SignInAttempts.objects.filter(scope=scope.digest)
    if rows.filter(since__lte=now - WINDOW).update(since=now, count=1):
        return True
    limit = LIMITS[scope.kind]
    if rows.filter(since__gt=now - WINDOW, count__lt=limit).update(count=F("count") + 1):
        return True
    if rows.exists():
        return False
    try:
        with transaction.atomic():
            SignInAttempts.objects.create(
                kind=scope.kind, scope=scope.digest, account=scope.account[:150], address=scope.address, since=now
            )
    except IntegrityError:  # another attempt was first
        return bool(rows.filter(count__lt=limit).update(count=F("count") + 1))
    return True


def failed(scope: Scope, step: str) -> None:
    """Put on record that a wrong attempt was the last one that its scope allowed."""
    if not SignInAttempts.objects.filter(scope=scope.digest, count=LIMITS[scope.kind]).exists():
        return
    details = {"scope": scope.kind.value, "step": step}
    audit.record("anonymous", "signin.locked", scope.subject, details=details, address=scope.address)
    metrics.count(step, "locked")


def is_locked(attempts: SignInAttempts) -> bool:
    return attempts.count >= LIMITS[attempts.kind] and attempts.since > clock.now() - WINDOW


def clear(scope: Scope) -> None:
    SignInAttempts.objects.filter(scope=scope.digest).delete()


def give_back(scope: Scope) -> None:
    SignInAttempts.objects.filter(scope=scope.digest, count__gt=0).update(count=F("count") - 1)


def factor_scope(request: HttpRequest) -> Scope:
    """Second factors are counted by person alone: who gets to try one knows the password."""
    user = request.user
    return Scope(Kind.FACTOR, str(user.pk), user.get_username(), client_address(request), f"staff:{user.pk}")


@dataclass(slots=True)
class Gate:
    """One attempt to sign in by password: the same steps whether there is such an account or not."""

    request: HttpRequest
    username: str
    scopes: list[Scope] = field(init=False)

    def __post_init__(self) -> None:
        address = client_address(self.request)
        found = get_user_model().objects.filter(username=self.username).values_list("pk", "username").first()
        # MariaDB takes other cases and accents for equal. Under such a name nobody comes in, and it counts for itself:
        # whether two spellings share a count would tell that there is the account.
        known = found if found and found[1] == self.username else None
        pk, account = known or (None, "")
        subject = f"staff:{pk}" if known else ""
        network = network_of(address)
        if known and (device := device_of(self.request, pk)):
            self.scopes = [Scope(Kind.DEVICE, f"{pk}:{device}", account, address, subject)]
        else:
            self.scopes = [
                Scope(Kind.ACCOUNT, f"{self.username}@{network}", account, address, subject),
                Scope(Kind.ADDRESS, network, address=address),
            ]

    def opens(self) -> bool:
        """Count the attempt; False where one of its scopes is closed. Nothing is counted then."""
        taken: list[Scope] = []
        for scope in self.scopes:
            if not take(scope):
                for one in taken:
                    give_back(one)
                metrics.count("password", "refused")
                return False
            taken.append(scope)
        return True

    def wrong(self) -> None:
        metrics.count("password", "wrong")
        audit_signin.refused(self.request, self.scopes[0].subject)
        for scope in self.scopes:
            failed(scope, "password")

    def right(self) -> None:
        clear(self.scopes[0])
        for scope in self.scopes[1:]:
            give_back(scope)
        metrics.count("password", "ok")


def network_of(address: str) -> str:
    """Return what of an address one person has alone: of IPv6 that is a /64 with all its addresses."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return address
    return str(known.ipv4_mapped or ipaddress.ip_network((known, 64), strict=False))


def device_of(request: HttpRequest, user_pk: object) -> str:
    """Return the mark of a browser in which this person has signed in before, or nothing."""
    try:
        known = signing.loads(request.COOKIES.get(DEVICE_COOKIE, ""), salt=_SALT, max_age=DEVICE_AGE)
    except signing.BadSignature:
        return ""
    return str(known["device"]) if known.get("user") == user_pk else ""


def remember_device(request: HttpRequest, response: HttpResponseBase) -> None:
    """Mark the browser as one of the person who has just come in."""
    mark = {"user": request.user.pk, "device": device_of(request, request.user.pk) or secrets.token_hex(8)}
    response.set_cookie(
        DEVICE_COOKIE,
        signing.dumps(mark, salt=_SALT),
        max_age=DEVICE_AGE,
        path="/admin/",
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def purge() -> int:
    return purging.delete(SignInAttempts.objects.filter(since__lte=clock.now() - WINDOW).order_by("since", "id"))
