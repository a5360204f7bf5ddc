"""The schedule: every job of the program, its topic and rhythm. `manage.py sync_schedule` writes it to the database."""

import datetime as dt

from frozenshop.kernel.jobs import Job

MINUTE = dt.timedelta(minutes=1)

JOBS = [
    Job("seal_audit", "kernel.seal_audit", "封印审计记录", every=MINUTE),
    Job("rearm", "kernel.rearm", "重发没有完成的消息", every=MINUTE),
    Job("purge", "kernel.purge", "清理已完成的消息和过期记录", at=dt.time(3, 30)),
    Job("poll_due", "logistics.poll_due", "查询到期的运单", every=MINUTE),
    Job("find_stale", "logistics.find_stale", "找出停滞的运单", every=MINUTE),
    Job("recheck", "logistics.recheck", "复核到时的轨迹", every=MINUTE),
    Job("find_incidents", "logistics.find_incidents", "把同一地点的大量停滞合并为一个事件", every=5 * MINUTE),
    Job("find_not_shipped", "orders.find_not_shipped", "找出逾期未发货的订单", every=5 * MINUTE),
    Job("apply_held", "logistics.apply_held", "处理暂存的推送", every=60 * MINUTE),
    Job("fit_eta", "logistics.fit_eta", "重新学习时效（预计送达）", at=dt.time(4, 10)),
    Job("purge_messages", "logistics.purge_messages", "清理过期的服务商消息和调用记录", at=dt.time(3, 40)),
]
