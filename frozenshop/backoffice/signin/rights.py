"""What a person may do, asked for once for a page."""

from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import Value

OWN, OF_GROUPS = "_user_perm_cache", "_group_perm_cache"
"""Where Django's ModelBackend keeps its answers on a user; it asks for each of them by itself."""


def ask_at_once(user: Any) -> None:
    """Find a person's own rights and those of their groups in one question; of a superuser nothing is asked."""
    if user.is_superuser or hasattr(user, OWN) or hasattr(user, OF_GROUPS):
        return
    named = ("content_type__app_label", "codename")
    own = Permission.objects.filter(user=user).order_by().values_list(*named, Value(OWN))
    of_groups = Permission.objects.filter(group__user=user).order_by().values_list(*named, Value(OF_GROUPS))
    found: dict[str, set[str]] = {OWN: set(), OF_GROUPS: set()}
    for app, name, kept in own.union(of_groups, all=True):
        found[kept].add(f"{app}.{name}")
    for kept, names in found.items():
        setattr(user, kept, names)
