"""Checking what a person gives to show that it is still them: the password, or the second factor."""

from django.http import HttpRequest

from frozenshop.backoffice.signin import factors, lockout, metrics, recent


def prove(request: HttpRequest) -> str:
    """Check the posted proof and start the window anew; return what was wrong in words, or nothing."""
    code, assertion = request.POST.get(recent.CODE, ""), request.POST.get(recent.ASSERTION, "")
    if code or assertion:
        return factors.take(request, code=code, assertion=assertion, step="again")
    return _password(request)


def _password(request: HttpRequest) -> str:
    scope = lockout.factor_scope(request)
    if not lockout.take(scope):
        metrics.count("again", "refused")
        return lockout.LOCKED
    if not request.user.check_password(request.POST.get(recent.PASSWORD, "")):
        metrics.count("again", "wrong")
        lockout.failed(scope, "again")
        return "密码不正确。"
    lockout.clear(scope)
    metrics.count("again", "ok")
    recent.remember(request)
    return ""
