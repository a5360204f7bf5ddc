"""Checking what a person gives to show that it is still them."""

from django.http import HttpRequest

from frozenshop.backoffice.signin import recent
from frozenshop.kernel import throttling

WRONG = "密码或验证码不正确。"
LATER = "尝试次数过多，请稍后再试。"


def prove(request: HttpRequest) -> str:
    """Check the posted proof and start the window anew; return what was wrong in words, or nothing."""
    if throttling.hit(f"again:{request.user.pk}", rate=1 / 60, burst=5) is not None:
        return LATER
    if not request.user.check_password(request.POST.get(recent.PASSWORD, "")):
        return WRONG
    recent.remember(request)
    return ""
