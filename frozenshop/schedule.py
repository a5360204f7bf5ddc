"""The schedule: every job of the program, its topic and rhythm. `manage.py sync_schedule` writes it to the database."""

import datetime as dt

from frozenshop.kernel.jobs import Job

MINUTE = dt.timedelta(minutes=1)

JOBS = [
    Job("seal_audit", "kernel.seal_audit", "封印审计记录", every=MINUTE),
    Job("audit_checkpoint", "kernel.audit_checkpoint", "写出审计检查点", every=MINUTE),
    Job("rearm", "kernel.rearm", "重发没有完成的消息", every=MINUTE),
    Job("purge", "kernel.purge", "清理已完成的消息和过期记录", at=dt.time(3, 30)),
    Job("poll_due", "logistics.poll_due", "查询到期的运单", every=MINUTE),
    Job("find_stale", "logistics.find_stale", "找出停滞的运单", every=MINUTE),
    Job("recheck", "logistics.recheck", "复核到时的轨迹", every=MINUTE),
    Job("find_incidents", "logistics.find_incidents", "把同一地点的大量停滞合并为一个事件", every=5 * MINUTE),
    Job("find_not_shipped", "orders.find_not_shipped", "找出逾期未发货的订单", every=5 * MINUTE),
    Job("apply_held", "logistics.apply_held", "处理暂存的推送", every=60 * MINUTE),
    Job("fill_waybill_endings", "logistics.fill_waybill_endings", "补全运单号的倒序索引", every=10 * MINUTE),
    Job("purge_searches", "backoffice.purge_searches", "清理 30 天前的查找记录", at=dt.time(3, 20)),
    Job("watch_contracts", "logistics.watch_contracts", "核对服务商消息的字段和代码", every=10 * MINUTE),
    Job("fit_eta", "logistics.fit_eta", "重新学习时效（预计送达）", at=dt.time(4, 10)),
    Job("purge_messages", "logistics.purge_messages", "清理过期的服务商消息和调用记录", at=dt.time(3, 40)),
    Job("send_due", "notifications.send_due", "发送到期的通知", every=MINUTE),
    Job("ask_unknown", "notifications.ask_unknown", "核实没有答复的通知", every=MINUTE),
    Job("review_notices", "notifications.review", "检查没有发出的通知和短信预算", every=10 * MINUTE),
    Job("digest", "notifications.digest", "发送每日汇总", at=dt.time(8, 30)),
    Job("purge_notices", "notifications.purge", "清理半年前的通知", at=dt.time(3, 50)),
    Job("purge_sms_codes", "notifications.purge_sms_codes", "清理过期的短信验证码", at=dt.time(4, 0)),
    Job("purge_sms_pushes", "notifications.purge_sms_pushes", "清理过期的短信回执原文", at=dt.time(4, 30)),
    Job("watch_settlement", "notifications.watch_settlement", "催报发货信息，超时前预警", every=5 * MINUTE),
    Job("reconcile_settlement", "notifications.reconcile_settlement", "与微信核对支付单和结算", at=dt.time(5, 0)),
    Job("check_wechat_templates", "notifications.check_templates", "核对微信消息模板", every=60 * MINUTE),
    Job("learn_followers", "notifications.learn_followers", "核对公众号粉丝", at=dt.time(4, 20)),
    Job("send_webhooks", "notifications.send_webhooks", "发送到期的 Webhook", every=MINUTE),
    Job("purge_webhooks", "notifications.purge_webhooks", "清理 90 天前的 Webhook 消息", at=dt.time(4, 40)),
    Job("watch_batches", "backoffice.watch_batches", "结束没有进展的批量任务", every=5 * MINUTE),
    Job("expire_batches", "backoffice.expire_batches", "删除批量任务到期的文件和原始内容", every=10 * MINUTE),
    Job("purge_sign_in", "backoffice.purge_sign_in", "清理过期的登录会话和失败计数", at=dt.time(4, 50)),
    Job("purge_wechat_events", "notifications.purge_wechat_events", "清理过期的微信推送", at=dt.time(4, 10)),
    Job("count_orders", "backoffice.count_orders", "统计首页的订单各步、今天到达和停滞", every=5 * MINUTE),
    Job("count_passages", "backoffice.count_passages", "统计首页的时效、货款冻结和未告知", every=30 * MINUTE),
    Job("heal_figures", "backoffice.heal_figures", "重算首页最近 35 天的统计", at=dt.time(2, 40)),
    Job("archive_finished", "logistics.archive_finished", "把早已完成的订单归档", at=dt.time(1, 30)),
    Job("erase_archived", "logistics.erase_archived", "清除到期的个人信息", at=dt.time(2, 30)),
    Job("sweep_archive", "logistics.sweep_archive", "删除 MongoDB 中不属于任何归档订单的内容", at=dt.time(4, 50)),
]
