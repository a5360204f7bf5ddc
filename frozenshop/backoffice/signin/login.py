"""The password step: one answer for whoever may not come in, whatever the reason."""

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth import login as auth_login
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from frozenshop.backoffice.signin import factors, lockout, recent, sessions
from frozenshop.kernel.changelist import record_act


class StaffLoginForm(AdminAuthenticationForm):
    def clean(self) -> dict[str, Any]:
        assert self.request is not None
        if not (self.cleaned_data.get("username") and self.cleaned_data.get("password")):
            return super().clean()  # Nothing is tried: nothing is counted, and no failure is taken back.
        gate = lockout.Gate(self.request, self.cleaned_data["username"])
        if not gate.opens():
            raise ValidationError(lockout.LOCKED, code="locked")
        try:
            cleaned = super().clean()
            if self.get_user().get_username() != gate.username:
                raise ValidationError(lockout.WRONG)
        except ValidationError:
            gate.wrong()
            raise ValidationError(lockout.WRONG, code="invalid_login") from None
        gate.right()
        return cleaned


class StaffLoginView(LoginView):
    authentication_form = StaffLoginForm
    template_name = "admin/login.html"

    def get_success_url(self) -> str:
        return next_step(self.request)

    def form_valid(self, form: Any) -> HttpResponse:
        auth_login(self.request, form.get_user())
        came_in(self.request)
        answer = HttpResponseRedirect(self.get_success_url())
        lockout.remember_device(self.request, answer)
        return answer


def came_in(request: HttpRequest) -> None:
    """After the password was right: Django has given the session another id."""
    sessions.begin(request)
    recent.remember(request)
    complete = factors.satisfied(request)
    record_act(request, "signin.password", f"staff:{request.user.pk}", details={"complete": complete})


def login_view(site: AdminSite, request: HttpRequest, extra_context: dict[str, Any]) -> HttpResponseBase:
    """Show the first step that is still to be done; past them all, go on to the site."""
    if request.method == "GET" and request.user.is_active and request.user.is_staff:
        return HttpResponseRedirect(next_step(request))
    context = {
        **site.each_context(request),
        "title": "登录",
        "subtitle": None,
        "app_path": request.get_full_path(),
        "username": request.user.get_username(),
        REDIRECT_FIELD_NAME: wanted_address(request),
        **extra_context,
    }
    return StaffLoginView.as_view(extra_context=context, next_page=None)(request)


def wanted_address(request: HttpRequest) -> str:
    """Return where the person wanted to go, on this site only."""
    wanted = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME, "")
    if url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure()):
        return wanted
    return reverse("admin:index")


def next_step(request: HttpRequest) -> str:
    if factors.satisfied(request):
        return wanted_address(request)
    if not factors.has_any(request.user):
        return reverse("admin:signin_account")
    return f"{reverse('admin:signin_verify')}?{urlencode({REDIRECT_FIELD_NAME: wanted_address(request)})}"


def password_changed(request: HttpRequest) -> None:
    """Whoever else uses the account is out; Django has kept this session alone, under another id."""
    sessions.end_all(request.user)
    sessions.begin(request)
    record_act(request, "signin.password_changed", f"staff:{request.user.pk}")
