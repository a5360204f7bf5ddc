"""The three groups of staff, as data: who may see, who may act, who may decide."""

from collections.abc import Mapping
from types import MappingProxyType

from django.contrib.auth.models import Group, Permission
from django.db import transaction

VIEWED = (
    *("orders.order", "orders.alert", "orders.product", "orders.productcategory"),
    *(
        "logistics.shipment",
        "logistics.carrier",
        "logistics.providerstate",
        "logistics.unknowncode",
        "logistics.unreadtext",
        "logistics.providernews",
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
    *("orders.export_order", "orders.view_customer"),
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
ROLES: Mapping[str, tuple[str, ...]] = MappingProxyType({"查看": VIEW, "客服": SERVE, "主管": LEAD})


def ensure_roles() -> None:
    """Make the groups and give each its rights; what was added to a group by hand stays."""
    known = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.select_related("content_type")
    }
    with transaction.atomic():
        for name, rights in ROLES.items():
            group, _ = Group.objects.get_or_create(name=name)
            group.permissions.add(*(known[right] for right in rights))
