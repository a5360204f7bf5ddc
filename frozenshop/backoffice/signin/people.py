"""Staff accounts and their roles in the admin: who may make whom what, on record, and after showing who one is."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse

from frozenshop.backoffice.roles import ROLES
from frozenshop.backoffice.signin import factors, lockout, recent, sessions
from frozenshop.backoffice.signin.models import SignInAttempts
from frozenshop.kernel.changelist import BaseAdmin, ReadOnlyAdmin, record_act

RESET = "backoffice.reset_authenticator"


class StaffUserAdmin(BaseAdmin[User], auth_admin.UserAdmin[User]):
    """An administrator gives the roles that there are; only a superuser makes or touches a superuser."""

    keyset = ("-id",)
    list_display = ("username", "last_name", "first_name", "is_staff", "is_active", "last_login")
    list_filter = ("is_staff", "is_active", "groups")
    search_fields = ("^username",)
    search_help_text = "用户名开头"
    ordering = ("-id",)
    actions = ("reset_factors", "end_sessions")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)

    def has_reset_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(RESET))

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fields = (*super().get_readonly_fields(request, obj), "last_login", "date_joined")
        return fields if request.user.is_superuser else (*fields, "is_superuser", "user_permissions")

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "groups" and not request.user.is_superuser:
            kwargs["queryset"] = Group.objects.filter(name__in=ROLES)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        asked = self._asked(request)
        return super().changeform_view(request, object_id, form_url, extra_context) if asked is None else asked

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        asked = self._asked(request)
        return super().delete_view(request, object_id, extra_context) if asked is None else asked

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        asked = self._asked(request)
        if asked is not None:
            return asked
        answer = super().user_change_password(request, id, form_url)
        if request.method == "POST" and answer.status_code == 302:
            sessions.end_all(int(id), but=request.session.session_key)
            record_act(request, "staff.password_set", f"staff:{id}")
        return answer

    def _asked(self, request: HttpRequest) -> HttpResponse | None:
        may = self.has_change_permission(request) or self.has_add_permission(request)
        return recent.asked(request) if may and request.method == "POST" else None

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        user: User = form.instance
        before = _rights(user) if change else {}
        super().save_related(request, form, formsets, change)
        after = _rights(user)
        if before != after:
            record_act(request, "staff.roles_changed", f"staff:{user.pk}", details={"before": before, "after": after})
        if not (user.is_active and user.is_staff):
            sessions.end_all(user)

    @admin.action(description="重置二次验证（本人丢失手机或密钥时）", permissions=["reset"])
    def reset_factors(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        return self._each(request, queryset, lambda user: factors.reset(request, user), "已重置 {} 人的二次验证。")

    @admin.action(description="结束所有登录", permissions=["reset"])
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        def end(user: User) -> None:
            record_act(request, "signin.sessions_ended", f"staff:{user.pk}", details={"count": sessions.end_all(user)})

        return self._each(request, queryset, end, "已结束 {} 人的登录。")

    def _each(self, request: HttpRequest, users: QuerySet[User], act: Any, said: str) -> HttpResponse | None:
        if (asked := recent.asked(request)) is not None:
            return asked
        chosen = list(users)
        if not all(_may_touch(request, user) for user in chosen):
            raise PermissionDenied
        for user in chosen:
            act(user)
        self.message_user(request, said.format(len(chosen)))
        return None


def _may_touch(request: HttpRequest, user: User | None) -> bool:
    """Nobody touches an account that may more than they may: who sets its password has its rights."""
    if user is None or request.user.is_superuser:
        return True
    held = Permission.objects.filter(Q(user=user) | Q(group__user=user))
    names = {f"{app}.{name}" for app, name in held.values_list("content_type__app_label", "codename")}
    return not user.is_superuser and request.user.has_perms(names)


def _rights(user: User) -> dict[str, Any]:
    fresh = User.objects.get(pk=user.pk)
    return {
        "groups": sorted(fresh.groups.values_list("name", flat=True)),
        "permissions": sorted(fresh.user_permissions.values_list("codename", flat=True)),
        "superuser": fresh.is_superuser,
        "staff": fresh.is_staff,
        "active": fresh.is_active,
    }


class StaffGroupAdmin(BaseAdmin[Group], auth_admin.GroupAdmin):
    keyset = ("id",)
    search_fields = ("^name",)
    ordering = ("id",)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if request.method == "POST" and self.has_change_permission(request):
            asked = recent.asked(request)
            if asked is not None:
                return asked
        return super().changeform_view(request, object_id, form_url, extra_context)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        if request.method == "POST" and self.has_delete_permission(request):
            asked = recent.asked(request)
            if asked is not None:
                return asked
        return super().delete_view(request, object_id, extra_context)


class SignInAttemptsAdmin(ReadOnlyAdmin[SignInAttempts]):
    """Who has failed to sign in lately, and the way to let somebody in again before the time."""

    keyset = ("-since", "-id")
    list_display = ("since", "kind", "account", "address", "count", "locked")
    fields = ("since", "kind", "account", "address", "count")
    actions = ("unlock",)

    @admin.display(description="已锁定", boolean=True)
    def locked(self, attempts: SignInAttempts) -> bool:
        return lockout.is_locked(attempts)

    def has_unlock_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("backoffice.delete_signinattempts"))

    @admin.action(description="解除锁定", permissions=["unlock"])
    def unlock(self, request: HttpRequest, queryset: QuerySet[SignInAttempts]) -> HttpResponse | None:
        if (asked := recent.asked(request)) is not None:
            return asked
        for attempts in queryset:
            details = {"scope": attempts.kind, "account": attempts.account, "address": attempts.address}
            record_act(request, "signin.unlocked", details=details)
        count = queryset.delete()[0]
        self.message_user(request, f"已解除 {count} 项。", messages.SUCCESS)
        return None
