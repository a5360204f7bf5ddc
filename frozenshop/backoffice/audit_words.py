"""How acts, actors and subjects of the audit read."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from django.contrib.auth import get_user_model
from django.urls import reverse

from frozenshop.backoffice.order_page import ACTS

ACTIONS: Mapping[str, str] = MappingProxyType(
    {
        **ACTS,
        "audit.exported": "导出审计",
        "audit.triggers_installed": "安装第二见证",
        "audit.triggers_removed": "拆除第二见证",
        "batch.acted": "批量处理",
        "batch.again": "再试批量任务",
        "batch.approve": "批准批量任务",
        "batch.cancel": "取消批量任务",
        "batch.decline": "不批准批量任务",
        "batch.undo": "撤销批量任务",
        "batch.file_taken": "下载批量任务的文件",
        "batch.finished": "批量任务完成",
        "batch.started": "开始批量任务",
        "export.requested": "申请导出列表",
        "hold.placed": "设置法律保留",
        "hold.released": "解除法律保留",
        "import.report_taken": "下载导入检查的结果",
        "import.rows": "导入的行",
        "import.started": "开始导入",
        "import.undone": "撤销导入",
        "import.uploaded": "上传导入文件",
        "order.exported_unmasked": "导出完整收件人信息",
        "batch.marked": "批量记录事实",
        "batch.report_taken": "下载批量任务的报告",
        "batch.reported": "批量报告物流进展",
        "batch.shipped": "批量发货",
        "batch.synced": "批量同步物流",
        "channel.breaker_closed": "解除渠道熔断",
        "driver.address_shown": "司机查看地址",
        "merchantkey.added": "签发商户密钥",
        "merchantkey.changed": "修改商户密钥",
        "merchantkey.previous_ended": "作废旧商户密钥",
        "merchantkey.rotated": "轮换商户密钥",
        "merchantkey.switched_off": "停用商户密钥",
        "messagetemplate.adopted": "新建消息模板",
        "messagetemplate.switched": "启停消息模板",
        "messagetemplate.tested": "试发消息模板",
        "order.erased": "清除订单的个人信息",
        "order.exported": "导出订单",
        "order.restored": "从归档恢复订单",
        "order.seen": "打开订单",
        "orders.imported": "导入订单",
        "outbox.replayed": "重新执行待办消息",
        "person.erased": "清除个人信息完毕",
        "person.erasing": "开始清除个人信息",
        "person.read": "取出个人信息",
        "provider.breaker_closed": "解除服务商熔断",
        "providernews.acknowledged": "知晓服务商变化",
        "roles.ensured": "按程序更新角色的权限",
        "schedule.switched": "启停定时任务",
        "settlement.special": "登记特殊结算",
        "shipment.synced": "同步运单",
        "signin.factor_added": "添加第二因素",
        "signin.factor_removed": "移除第二因素",
        "signin.factor_reset": "重置第二因素",
        "signin.locked": "登录被锁定",
        "signin.left": "退出登录",
        "signin.recovery_used": "用恢复码登录",
        "signin.refused": "登录被拒（密码不对）",
        "signin.password": "登录",
        "signin.password_changed": "修改自己的密码",
        "signin.recovery_made": "生成恢复码",
        "signin.sessions_ended": "结束其他会话",
        "signin.unlocked": "解除登录锁定",
        "staff.password_set": "为他人设置密码",
        "staff.roles_changed": "修改角色或权限",
        "webhook.replayed": "重发 Webhook",
        "witness.sealed": "封存第二见证",
    }
)
_VERBS = {"added": "新建", "changed": "修改", "deleted": "删除"}


def action_label(action: str) -> str:
    """Return an act in words; one that has none of its own is told by its verb."""
    kind, _, verb = action.partition(".")
    return ACTIONS.get(action) or (f"{_VERBS[verb]} {kind}" if verb in _VERBS else action)


def actor_names(actors: Iterable[str]) -> dict[str, str]:
    """Return how each actor is called; members of staff by their names, in one query."""
    named = {actor: _number(actor) for actor in set(actors)}
    users = get_user_model().objects.in_bulk([pk for pk in named.values() if pk])
    return {
        actor: (users[pk].get_full_name() or users[pk].get_username()) if pk in users else actor
        for actor, pk in named.items()
    }


def actor_of(typed: str) -> str:
    """Return the actor that somebody means: a name of the audit, or a member of staff's own."""
    if not typed or ":" in typed:
        return typed
    user = get_user_model().objects.filter(username=typed).only("pk").first()
    return f"staff:{user.pk}" if user else typed


def subject_url(subject: str) -> str:
    """Return the page of all that was done to a subject."""
    kind, colon, key = subject.partition(":")
    if not colon:
        return reverse("admin:audit_order", args=[subject])
    if kind in ("staff", "user") and key.isdecimal():
        return reverse("admin:audit_person", args=[f"staff:{key}"])
    return ""


def _number(actor: str) -> int | None:
    kind, _, key = actor.partition(":")
    return int(key) if kind == "staff" and key.isdecimal() and len(key) < 12 else None
