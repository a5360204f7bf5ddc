"""The pages of signing in: the second factor, proof of being there still, and a person's own factors and sessions."""

import functools
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from frozenshop.backoffice.signin import factors, passkeys, recent, recovery, sessions, totp
from frozenshop.backoffice.signin.login import wanted_address
from frozenshop.backoffice.signin.models import Authenticator, RecoveryCode
from frozenshop.kernel.changelist import record_act

View = Callable[..., HttpResponse]
NEW_SECRET = "new_totp"  # noqa: S105


def after_password(view: View) -> View:
    """Let in who has given the password, with or without the second factor: the pages where one is shown or added."""

    @never_cache
    @csrf_protect
    @sensitive_post_parameters()
    @functools.wraps(view)
    def let_in(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not (request.user.is_active and request.user.is_staff):
            return redirect_to_login(request.get_full_path(), reverse("admin:login"))
        return view(request, *args, **kwargs)

    return let_in


def enrolling(view: View) -> View:
    """Let in who may add or remove factors: never with a password alone beside a factor that is there."""

    @after_password
    @functools.wraps(view)
    def let_in(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not factors.may_enrol(request):
            where = "admin:signin_verify" if factors.has_any(request.user) else "admin:signin_account"
            return HttpResponseRedirect(reverse(where))
        asked = recent.asked(request)
        return view(request, *args, **kwargs) if asked is None else asked

    return let_in


def again_view(request: HttpRequest) -> HttpResponse:
    """Ask for the proof without anything under way, and go back to where it was wanted."""
    asking = recent.asked(request)
    return HttpResponseRedirect(wanted_address(request)) if asking is None else asking


@after_password
def verify_view(request: HttpRequest) -> HttpResponse:
    """Take the second factor after the password."""
    if factors.satisfied(request):
        return HttpResponseRedirect(wanted_address(request))
    if not factors.has_any(request.user):
        return HttpResponseRedirect(reverse("admin:signin_account"))
    fault = ""
    if request.method == "POST":
        code, assertion = request.POST.get("code", ""), request.POST.get("assertion", "")
        fault = factors.take(request, code=code, assertion=assertion)
        if not fault:
            return HttpResponseRedirect(wanted_address(request))
    context = {
        "title": "二次验证",
        "fault": fault,
        "next": wanted_address(request),
        "passkey_options": passkeys.assertion_options(request),
    }
    return _page(request, "verify", context)


@after_password
def account_view(request: HttpRequest) -> HttpResponse:
    """Show a person's own factors and sessions; where a factor is required and there is none, the way to one."""
    complete = factors.satisfied(request)
    if not complete and factors.has_any(request.user):
        return HttpResponseRedirect(reverse("admin:signin_verify"))
    context = {
        "title": "登录与安全",
        "complete": complete,
        "offered": factors.may_enrol(request),
        "passkeys_offered": bool(passkeys.relying_party()),
        "factors": Authenticator.objects.filter(user=request.user.pk).order_by("id"),
        "codes_left": recovery.left(request.user),
        "sessions": sessions.of(request.user),
        "this_session": request.session.session_key,
    }
    return _page(request, "account", context)


@enrolling
def totp_view(request: HttpRequest) -> HttpResponse:
    """Add an authenticator app: a picture to scan, and a code that shows that it was scanned."""
    secret, fault = request.session.get(NEW_SECRET) or totp.new_secret(), ""
    request.session[NEW_SECRET] = secret
    if request.method == "POST" and "code" in request.POST:
        step = totp.step_of(secret, request.POST["code"])
        if step is not None:
            del request.session[NEW_SECRET]
            return _added(request, totp.add(request.user, secret, step))
        fault = "验证码不正确。请核对手机的时间，再输入应用上显示的 6 位数字。"
    picture = mark_safe(totp.picture(totp.uri(secret, request.user.get_username())))  # noqa: S308
    return _page(request, "totp", {"title": "添加验证器应用", "fault": fault, "secret": secret, "picture": picture})


@enrolling
def passkey_view(request: HttpRequest) -> HttpResponse:
    """Add a security key or passkey."""
    fault = ""
    if not passkeys.relying_party():
        messages.error(request, "这个网址不支持安全密钥：浏览器只在 https 的域名（或 localhost）上提供。")
        return HttpResponseRedirect(reverse("admin:signin_account"))
    if request.method == "POST" and "answer" in request.POST:
        made = passkeys.register(request, request.POST["answer"], request.POST.get("name", "").strip()[:60])
        if made:
            return _added(request, made)
        fault = "没有添加：浏览器的答复无效，或这个密钥已经添加过。请重试。"
    options = passkeys.registration_options(request)
    return _page(request, "passkey", {"title": "添加安全密钥", "fault": fault, "passkey_options": options})


@enrolling
@require_POST
def recovery_view(request: HttpRequest) -> HttpResponse:
    """Make new recovery codes, and show them this once."""
    if not factors.has_any(request.user):
        return HttpResponseRedirect(reverse("admin:signin_account"))
    record_act(request, "signin.recovery_made", f"staff:{request.user.pk}")
    return _codes(request, recovery.make(request.user))


@enrolling
@require_POST
def remove_view(request: HttpRequest, factor_id: int) -> HttpResponse:
    """Remove one of the person's own factors; where one is required, not the last."""
    theirs = Authenticator.objects.filter(user=request.user.pk)
    others = theirs.exclude(pk=factor_id).exists()
    if settings.STAFF_SECOND_FACTOR == factors.REQUIRED and not others:
        messages.error(request, "必须保留至少一种二次验证方式。请先添加另一种。")
    elif theirs.filter(pk=factor_id).delete()[0]:
        if not others:
            RecoveryCode.objects.filter(user=request.user.pk).delete()
        record_act(request, "signin.factor_removed", f"staff:{request.user.pk}", details={"left": others})
        messages.success(request, "已移除。")
    return HttpResponseRedirect(reverse("admin:signin_account"))


def end_sessions_view(request: HttpRequest) -> HttpResponse:
    """End the person's other sessions, or the one that was named."""
    if request.method == "POST":
        here = request.session.session_key
        named = [one.session_key for one in sessions.of(request.user) if str(one.pk) == request.POST.get("session")]
        count = sessions.end(named) if "session" in request.POST else sessions.end_all(request.user, but=here)
        record_act(request, "signin.sessions_ended", f"staff:{request.user.pk}", details={"count": count})
        messages.success(request, f"已结束 {count} 个登录。")
    return HttpResponseRedirect(reverse("admin:signin_account"))


@after_password
@require_POST
def leave_view(request: HttpRequest) -> HttpResponse:
    """Leave between password and second factor, where the site's own way out is not open yet."""
    sessions.end([request.session.session_key or ""])
    logout(request)
    return HttpResponseRedirect(reverse("admin:login"))


def _added(request: HttpRequest, authenticator: Authenticator) -> HttpResponse:
    codes = factors.added(request, authenticator)
    if codes:
        return _codes(request, codes)
    messages.success(request, f"已添加：{authenticator.name}。其他登录已结束。")
    return HttpResponseRedirect(reverse("admin:signin_account"))


def _codes(request: HttpRequest, codes: list[str]) -> HttpResponse:
    return _page(request, "codes", {"title": "恢复码", "codes": codes})


def _page(request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
    whole = {**admin.site.each_context(request), **context}
    answer = TemplateResponse(request, f"backoffice/signin/{name}.html", whole)
    answer["Cache-Control"] = "no-store"
    return answer
