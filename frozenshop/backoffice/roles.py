"""The roles of staff, as data: who may see, act, decide, look back and administer; and what each page asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from django.contrib.auth.models import Group, Permission
from django.db import transaction

from frozenshop.kernel import audit
from frozenshop.kernel.actor import SYSTEM

VIEWED = (
    *("orders.order", "orders.alert", "orders.product", "orders.productcategory"),
    *(
        "logistics.shipment",
        "logistics.carrier",
        "logistics.providerstate",
        "logistics.unknowncode",
        "logistics.unreadtext",
        "logistics.providernews",
        "logistics.archivedorder",
    ),
    *("kernel.calendarday", "kernel.shopcalendar", "kernel.logentry"),
    *(f"notifications.{model}" for model in ("notice", "delivery", "messagetemplate", "smsbudget", "channelstate")),
    "notifications.shippingreport",
)
VIEW = tuple(f"{name.replace('.', '.view_')}" for name in VIEWED)
SERVE = (
    *VIEW,
    *("orders.add_order", "orders.change_order", "orders.unmask_order", "orders.change_alert"),
    *("logistics.change_shipment", "notifications.change_notice", "notifications.view_consent"),
    "backoffice.view_batch",
)
LEAD = (
    *SERVE,
    "notifications.change_shippingreport",
    *("logistics.restore_archivedorder", *(f"orders.{verb}_legalhold" for verb in ("view", "add", "change"))),
    *("orders.export_order", "orders.view_customer", "backoffice.share_savedview"),
    *(f"backoffice.{right}" for right in ("view_others_batch", "export_unmasked", "approve_unmasked")),
    *(f"orders.{verb}_{model}" for verb in ("add", "change") for model in ("product", "productcategory")),
    *("logistics.add_carrier", "logistics.change_carrier", "logistics.change_providerstate"),
    "logistics.change_providernews",
    *("logistics.change_unknowncode", "logistics.add_unreadtext", "logistics.change_unreadtext"),
    *("logistics.view_providercall", "logistics.view_providermessage", "notifications.view_smspush"),
    *(f"kernel.{verb}_calendarday" for verb in ("add", "change", "delete")),
    *(f"notifications.{verb}_messagetemplate" for verb in ("add", "change", "delete")),
    *(f"notifications.{verb}_staffcontact" for verb in ("view", "add", "change", "delete")),
    "notifications.change_channelstate",
    *("kernel.change_shopcalendar", "kernel.view_outboxmessage", "kernel.change_outboxmessage", "kernel.view_jobrun"),
    *("kernel.view_auditentry", "kernel.view_merchantkey", "kernel.add_merchantkey", "kernel.change_merchantkey"),
    *(f"notifications.{verb}_webhookendpoint" for verb in ("view", "add", "change")),
    *("notifications.view_webhookmessage", "notifications.change_webhookmessage"),
    *("django_celery_beat.view_periodictask", "django_celery_beat.change_periodictask"),
)
# Sees everything that happened, and changes nothing; personal data stays masked.
AUDIT = (
    *VIEW,
    *("kernel.view_auditentry", "kernel.export_auditentry", "kernel.view_jobrun", "kernel.view_outboxmessage"),
    *("kernel.view_merchantkey",),
    *("logistics.view_providercall", "django_celery_beat.view_periodictask", "backoffice.view_others_batch"),
    *("orders.view_legalhold", "backoffice.view_batch"),
    *("notifications.view_consent", "notifications.view_webhookendpoint", "notifications.view_webhookmessage"),
    *("auth.view_user", "auth.view_group", "backoffice.view_signinattempts"),
)
# Accounts are switched off, not deleted: the audit names them. What a role may is code; only a superuser changes it.
ADMINISTER = (
    *LEAD,
    "kernel.export_auditentry",
    *(f"auth.{right}" for right in ("view_user", "add_user", "change_user", "view_group")),
    *("backoffice.reset_authenticator", "backoffice.view_signinattempts", "backoffice.delete_signinattempts"),
)
ROLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"查看": VIEW, "客服": SERVE, "主管": LEAD, "审计": AUDIT, "管理员": ADMINISTER}
)
ENGLISH: Mapping[str, str] = MappingProxyType(
    {"查看": "viewer", "客服": "clerk", "主管": "supervisor", "审计": "auditor", "管理员": "administrator"}
)

ANYBODY, NOBODY = "*", ""
"""Every member of staff; not even a superuser (nothing is shown or done by that method)."""


@dataclass(frozen=True, slots=True)
class Needs:
    """The right that a page of our own asks for, by method: one of the matrix, ANYBODY or NOBODY."""

    get: str = NOBODY
    post: str = NOBODY


def _both(right: str) -> Needs:
    return Needs(right, right)


# The pages that aren't those of a list (list, add, change, delete, history), which follow from the lists' own rights.
# A new one is entered here: tests/test_roles.py tries every address as every role, and compares.
PAGES: Mapping[str, Needs] = MappingProxyType(
    {
        **{name: _both(ANYBODY) for name in ("index", "login", "logout", "password_change", "password_change_done")},
        "jsi18n": _both(ANYBODY),
        **{f"signin_{name}": _both(ANYBODY) for name in ("account", "verify", "totp", "passkey", "recovery", "remove")},
        **{f"signin_{name}": _both(ANYBODY) for name in ("leave", "again", "end_sessions")},
        # Tell each role less than all; tested by what they answer, in the back office's own tests.
        **{name: _both(ANYBODY) for name in ("autocomplete", "view_on_site", "app_list")},
        "archive": _both("logistics.view_archivedorder"),
        "logistics_archivedorder_act": Needs("logistics.view_archivedorder", "logistics.restore_archivedorder"),
        "orders_legalhold_release": Needs("orders.view_legalhold", "orders.change_legalhold"),
        "batch": _both("orders.view_order"),
        "costs": _both("logistics.view_providerstate"),
        "logs": _both("kernel.view_logentry"),
        **{name: _both("kernel.view_auditentry") for name in ("audit", "audit_order", "audit_person")},
        "audit_export": Needs(NOBODY, "kernel.export_auditentry"),
        "trail": _both("kernel.view_outboxmessage"),
        "settlement": _both("notifications.view_shippingreport"),
        "settlement_report": _both("notifications.view_shippingreport"),
        "messages": _both("notifications.view_notice"),
        "messages_person": _both("notifications.view_notice"),
        "auth_user_password_change": _both("auth.change_user"),
        # Any of the rights to import something; who has one of them has this one.
        **{name: _both("orders.change_order") for name in ("import", "import_one", "import_report")},
        "orders_order_act": Needs("orders.view_order", "orders.unmask_order"),
        **{f"orders_order_{name}": _both("orders.view_order") for name in ("find", "forget", "views", "view")},
        "orders_order_columns": _both("orders.view_order"),
        "orders_alert_statistics": _both("orders.view_alert"),
        "backoffice_batch_export": _both("orders.export_order"),
        "backoffice_batch_progress": _both("backoffice.view_batch"),
        "backoffice_batch_report": _both("backoffice.view_batch"),
        "backoffice_batch_file": _both("backoffice.view_batch"),
        "backoffice_batch_act": _both("backoffice.view_batch"),
        "notifications_notice_resend": _both("notifications.change_notice"),
        "notifications_messagetemplate_preview": _both("notifications.view_messagetemplate"),
        "notifications_messagetemplate_adopt": _both("notifications.add_messagetemplate"),
        "notifications_messagetemplate_test": _both("notifications.change_messagetemplate"),
    }
)


def ensure_roles(*names: str) -> None:
    """Make the groups (all unless some are named) and give each its rights; what was added to a group by hand stays."""
    known = {
        f"{app}.{codename}": key
        for app, codename, key in Permission.objects.values_list("content_type__app_label", "codename", "pk")
    }
    with transaction.atomic():
        for name in names or ROLES:
            rights = ROLES[name]
            group, new = Group.objects.get_or_create(name=name)
            before = set(group.permissions.values_list("pk", flat=True))
            added = [right for right in rights if known[right] not in before]
            group.permissions.add(*(known[right] for right in added))
            if added and not new:
                audit.record(SYSTEM, "roles.ensured", f"group:{group.pk}", details={"added": sorted(added)})
