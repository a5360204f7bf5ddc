"""The tables of docs/anomalies.md, made from `logistics.anomalies` and `orders.alerting`."""

import datetime as dt

HOUR = dt.timedelta(hours=1)


def kinds() -> str:
    """Return a row for each kind of alert."""
    from logistics.anomalies import ANOMALIES
    from orders.alerting import KINDS

    head = "| kind | 名称 | 何时出现 | 时限（冻品） | 按线路学习 | 级别 | 处理期限 | 谁处理 | 告诉买家 |"
    rows = [
        f"| `{kind.value}` | {kind.label} | {one.opens} | {_limits(one.limit, one.frozen)} | {one.learnt or '—'}"
        f" | {KINDS[kind].severity.label} | {_span(KINDS[kind].due)} | {one.acts.label}"
        f" | {KINDS[kind].buyer_message or '—'} |"
        for kind, one in ANOMALIES.items()
    ]
    return "\n".join([head, "|" + "---|" * 9, *rows])


def silence() -> str:
    """Return a row for each status in which silence has a limit."""
    from logistics.anomalies import SILENCE
    from logistics.models import ShipmentStatus

    rows = [
        f"| `{status}` | {ShipmentStatus(status).label} | {rule.kind.label} | {_span(rule.limit)}"
        f" | {_span(rule.frozen)} | {'该状态开始' if rule.from_status else '最近一次轨迹'} |"
        for status, rule in SILENCE.items()
    ]
    return "\n".join(["| status | 状态 | 预警 | 时限 | 冻品 | 从何时起算 |", "|" + "---|" * 6, *rows])


def _limits(limit: dt.timedelta | None, frozen: dt.timedelta | None) -> str:
    if limit is None:
        return "—"
    return f"{_span(limit)}（{_span(frozen)}）" if frozen else _span(limit)


def _span(span: dt.timedelta) -> str:
    hours = span / HOUR
    return f"{hours / 24:g} 天" if hours >= 72 and hours % 24 == 0 else f"{hours:g} 小时"
