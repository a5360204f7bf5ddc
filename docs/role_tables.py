"""The tables of docs/roles.md: which role has which right, and which page asks for which."""

from django.apps import apps
from django.contrib import admin
from django.urls import URLPattern

from frozenshop.backoffice.roles import ANYBODY, ENGLISH, PAGES, ROLES

VERBS = {"view": "查看", "add": "添加", "change": "修改", "delete": "删除"}


def matrix() -> str:
    names = _names()
    rights = sorted({right for given in ROLES.values() for right in given}, key=_place)
    head = [
        f"| right | 中文 |{''.join(f' {role} {ENGLISH[role]} |' for role in ROLES)}",
        f"|---|---|{'---|' * len(ROLES)}",
    ]
    rows = [
        f"| `{right}` | {names[right]} |{''.join(' ✓ |' if right in given else ' |' for given in ROLES.values())}"
        for right in rights
    ]
    return "\n".join([*head, *rows])


def pages() -> str:
    rows = [
        f"| `{_address(name)}` | {_shown(needs.get)} | {_shown(needs.post)} |" for name, needs in sorted(PAGES.items())
    ]
    return "\n".join(["| page | GET | POST |", "|---|---|---|", *rows])


def _names() -> dict[str, str]:
    """Return what each right is called in the interface."""
    found = {}
    for model in apps.get_models():
        meta = model._meta
        for verb in meta.default_permissions:
            found[f"{meta.app_label}.{verb}_{meta.model_name}"] = f"{VERBS[verb]}{meta.verbose_name}"
        found |= {f"{meta.app_label}.{codename}": str(name) for codename, name in meta.permissions}
    return found


def _place(right: str) -> tuple[str, str, str]:
    app, _, codename = right.partition(".")
    verb, _, model = codename.partition("_")
    return app, model, verb


def _address(name: str) -> str:
    for one in admin.site.urls[0]:
        for pattern in [one] if isinstance(one, URLPattern) else one.url_patterns:
            if getattr(pattern, "name", None) == name:
                return f"{'' if isinstance(one, URLPattern) else one.pattern}{pattern.pattern}" or "/"
    raise LookupError(name)


def _shown(right: str) -> str:
    return {ANYBODY: "每位员工", "": "—"}.get(right, f"`{right}`")
