"""The addresses of signing in, below /admin/account/."""

from django.contrib.admin import AdminSite
from django.urls import URLPattern, path

from frozenshop.backoffice.signin import views


def routes(site: AdminSite) -> list[URLPattern]:
    """Return them; those not wrapped by the site are open between the password and the second factor."""
    return [
        path("account/", views.account_view, name="signin_account"),
        path("account/verify/", views.verify_view, name="signin_verify"),
        path("account/totp/", views.totp_view, name="signin_totp"),
        path("account/passkey/", views.passkey_view, name="signin_passkey"),
        path("account/recovery/", views.recovery_view, name="signin_recovery"),
        path("account/factors/<int:factor_id>/remove/", views.remove_view, name="signin_remove"),
        path("account/logout/", views.leave_view, name="signin_leave"),
        path("account/again/", site.admin_view(views.again_view), name="signin_again"),
        path("account/sessions/end/", site.admin_view(views.end_sessions_view), name="signin_end_sessions"),
    ]
