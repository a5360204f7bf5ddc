"""The tables that the database's own triggers watch, where they are installed: see docs/audit.md.

Those whose rows are evidence (audit, seals, an order's history), what money and goods hang on (orders, shipments,
alerts), and who may do what. Of each, the columns that mean something: a carrier asked or a page counted is no change.
A column that a release drops leaves this list one release before, and `install_audit_triggers` runs in between.
"""
# ruff: noqa: S608 - tables and columns are ours, and values are passed beside

from frozenshop.kernel.audit.witnessing import Rule, Witnessed

_SEALED_FOR_GOOD = (Rule("UD", "审计记录只增不改，不会由本程序改动或删除"),)
_NEAR = "e.at BETWEEN w.at - INTERVAL 10 MINUTE AND w.at + INTERVAL 10 MINUTE"
_KEY, _WAS = ("CAST(w.row_key AS UNSIGNED)", "CAST(w.state_was AS UNSIGNED)")
_ARCHIVED = "EXISTS (SELECT 1 FROM logistics_archivedorder a WHERE a.id = {order})"
_KEPT = f"{_ARCHIVED} OR EXISTS (SELECT 1 FROM orders_order o WHERE o.id = {{order}})"
"""Archived since, or archived and restored."""
_STEP = (
    f"EXISTS (SELECT 1 FROM orders_orderevent e WHERE e.order_id = {_KEY}"
    " AND CAST(e.from_status AS BINARY) = CAST(w.state_was AS BINARY)"
    f" AND CAST(e.to_status AS BINARY) = CAST(w.state_became AS BINARY)) OR {_ARCHIVED.format(order=_KEY)}"
)
_ACT = f"EXISTS (SELECT 1 FROM kernel_auditentry e WHERE {_NEAR} AND ({{which}}))"
_ERASED = _ACT.format(which="e.action = 'order.erased'")
_SUBJECT, _ACTOR = "CAST(e.subject AS BINARY)", "CAST(e.actor AS BINARY)"
_PERSON = _ACT.format(
    which=f"{_SUBJECT} IN (CAST(CONCAT('user:', {{user}}) AS BINARY), CAST(CONCAT('staff:', {{user}}) AS BINARY))"
    f" OR {_ACTOR} = CAST(CONCAT('staff:', {{user}}) AS BINARY)"
)
_GROUP = _ACT.format(
    which=f"{_SUBJECT} = CAST(CONCAT('group:', {{group}}) AS BINARY) OR e.action = 'roles.ensured'",
)
_OTHER = "COALESCE(NULLIF(w.state_became, ''), w.state_was)"


TABLES = [
    Witnessed(
        "kernel_auditentry",
        ("id", "at", "actor", "action", "subject", "reason", "details", "address", "request_id"),
        rules=_SEALED_FOR_GOOD,
    ),
    Witnessed("kernel_auditseal", ("id", "position", "audit_id", "digest", "sealed_at"), rules=_SEALED_FOR_GOOD),
    Witnessed(
        "orders_order",
        (
            *("id", "order_no", "customer_id", "status", "placed_at", "paid_at", "shipped_at", "in_transit_at"),
            *("delivered_at", "cancelled_at", "refunded_at", "returned_at", "total_fen", "freight_fen", "discount_fen"),
            *("transaction_id", "mchid", "out_trade_no", "combine_mchid", "combine_out_trade_no"),
            *("consignee_sealed", "phone_index", "name_index", "tail_index", "province", "city", "district"),
        ),
        state="status",
        rules=(
            Rule(
                "U",
                "订单状态变了，订单历史里却没有这一步",
                _STEP,
                changed="status",
            ),
            Rule("D", "订单被删除，归档里也没有", _KEPT.format(order=_KEY)),
        ),
    ),
    Witnessed(
        "orders_orderevent",
        (
            *("id", "order_id", "kind", "from_status", "to_status", "occurred_at", "recorded_at", "source", "actor"),
            *("reason", "reference", "amount_fen"),
        ),
        state="order_id",
        rules=(
            Rule("U", "订单历史只增不改，附近也没有清除个人信息的记录", _ERASED),
            Rule("D", "订单历史被删除，归档里也没有这个订单", _KEPT.format(order=_WAS)),
        ),
    ),
    Witnessed(
        "orders_alert",
        (
            *("id", "kind", "subject", "order_id", "severity", "opened_at", "due_at", "owner_id", "resolved_at"),
            *("resolved_by", "resolution", "outcome"),
        ),
        state="kind",
    ),
    Witnessed(
        "logistics_shipment",
        (
            *("id", "carrier_id", "waybill_no", "generation", "status", "shipped_at", "delivered_at", "returned_at"),
            *("voided_at", "void_reason"),
        ),
        state="status",
    ),
    Witnessed(
        "auth_user",
        ("id", "username", "password", "email", "is_superuser", "is_staff", "is_active"),
        rules=(Rule("UD", "账号变了，附近却没有他人或本人操作的记录", _PERSON.format(user="w.row_key")),),
    ),
    Witnessed(
        "auth_user_groups",
        ("id", "user_id", "group_id"),
        state="user_id",
        rules=(Rule("IUD", "账号的角色变了，附近却没有记录", _PERSON.format(user=_OTHER)),),
    ),
    Witnessed(
        "auth_user_user_permissions",
        ("id", "user_id", "permission_id"),
        state="user_id",
        rules=(Rule("IUD", "账号的权限变了，附近却没有记录", _PERSON.format(user=_OTHER)),),
    ),
    Witnessed(
        "auth_group_permissions",
        ("id", "group_id", "permission_id"),
        state="group_id",
        rules=(Rule("IUD", "角色的权限变了，附近却没有记录", _GROUP.format(group=_OTHER)),),
    ),
]
