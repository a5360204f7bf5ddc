"""Whether a session needs a second factor, and taking one."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest

from frozenshop.backoffice.signin import lockout, metrics, passkeys, recent, recovery, sessions, totp
from frozenshop.backoffice.signin.models import Authenticator, RecoveryCode
from frozenshop.kernel.changelist import record_act

FACTOR = "second_factor"
PASSED, NONE_NEEDED = "passed", "none"
OFF, OPTIONAL, REQUIRED = MODES = ("off", "optional", "required")
WRONG = "验证码不正确，或已经用过。"


def satisfied(request: HttpRequest) -> bool:
    """Say whether this session may use the site: it has shown a second factor, or its person need not have one."""
    if settings.STAFF_SECOND_FACTOR == OFF:
        return True
    state = request.session.get(FACTOR)
    if state is None and settings.STAFF_SECOND_FACTOR == OPTIONAL and not has_any(request.user):
        # Kept in the session, so that not every page asks: adding a factor ends a person's other sessions.
        state = request.session[FACTOR] = NONE_NEEDED
    return state == PASSED or (state == NONE_NEEDED and settings.STAFF_SECOND_FACTOR == OPTIONAL)


def has_any(user: Any) -> bool:
    return Authenticator.objects.filter(user=user.pk).exists()


def may_enrol(request: HttpRequest) -> bool:
    """A password alone adds the first factor, never another one beside it."""
    return settings.STAFF_SECOND_FACTOR != OFF and (satisfied(request) or not has_any(request.user))


def take(request: HttpRequest, *, code: str, assertion: str, step: str = "factor") -> str:
    """Check a code of an app, a recovery code or a passkey's answer; return what was wrong in words, or nothing."""
    scope = lockout.factor_scope(request)
    if not lockout.take(scope):
        metrics.count(step, "refused")
        return lockout.LOCKED
    kind = _kind_shown(request, code, assertion)
    if not kind:
        metrics.count(step, "wrong")
        lockout.failed(scope, step)
        return WRONG
    lockout.clear(scope)
    metrics.count(step, "ok")
    pass_on(request, kind)
    return ""


def _kind_shown(request: HttpRequest, code: str, assertion: str) -> str:
    if assertion:
        return "passkey" if passkeys.use(request, assertion) else ""
    apps = Authenticator.objects.filter(user=request.user.pk, kind=Authenticator.Kind.TOTP)
    if any(totp.use(app, code) for app in apps):
        return "totp"
    return "recovery" if recovery.use(request.user, code) else ""


def pass_on(request: HttpRequest, kind: str) -> None:
    """The session has shown its second factor: from now on under another id."""
    if request.session.get(FACTOR) != PASSED:
        request.session[FACTOR] = PASSED
        sessions.renew_key(request)
    recent.remember(request)
    action = "signin.recovery_used" if kind == "recovery" else "signin.factor_shown"
    record_act(request, action, f"staff:{request.user.pk}", details={"kind": kind})


def added(request: HttpRequest, authenticator: Authenticator) -> list[str]:
    """Put a new factor on record and end the person's other sessions; return recovery codes where there are none."""
    subject = f"staff:{request.user.pk}"
    record_act(request, "signin.factor_added", subject, details={"kind": authenticator.kind})
    pass_on(request, authenticator.kind)
    sessions.end_all(request.user, but=request.session.session_key)
    return [] if recovery.left(request.user) else recovery.make(request.user)


def reset(request: HttpRequest, user: Any) -> int:
    """Take all second factors of somebody else away, who has lost them, and end their sessions. On record."""
    with transaction.atomic():
        count = Authenticator.objects.filter(user=user).delete()[0]
        RecoveryCode.objects.filter(user=user).delete()
        sessions.end_all(user)
        record_act(request, "signin.factor_reset", f"staff:{user.pk}", details={"factors": count})
    return count
