"""The page at `/_sim/`: everything the sandbox is doing, and how to steer it."""

from html import escape
from typing import Any

from sandbox.faults import KINDS
from sandbox.instants import isoformat, wall_clock
from sandbox.pushing import Pusher
from sandbox.scenarios import SCENARIOS
from sandbox.shipments import sample_names
from sandbox.world import World

SHOWN = 60
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:1.5rem;color:#1c2733}table{border-collapse:collapse;width:100%;"
    "margin-bottom:1.5rem}td,th{border-bottom:1px solid #d9e0e6;padding:.3rem .5rem;text-align:left;vertical-align:top;"
    "font-size:13px}code,pre{background:#f2f5f7;padding:.1rem .3rem;word-break:break-all;white-space:pre-wrap}"
    "h2{font-size:17px;margin-top:1.5rem}summary{cursor:pointer}"
)
HOW_TO = """POST /_sim/wechat/code {"openid","unionid"?}                → {"code"}
POST /_sim/wechat/phone-code {"phone","country_code"?,"openid"?} → {"code"}
PUT  /_sim/wechat {"ip_allowed"?,"tokens"?: "expired"|"revoked","push_mode"?,"push_format"?,"push_shape"?,
                   "daily_quota"?,"minute_quota"?,"pages"?}
POST /_sim/wechat/popup {"openid","results": {模板编号: "accept"…},"pushed"?}  买家点订阅弹窗
POST /_sim/wechat/refuse {"openid","template_id"}                        买家在设置里关闭
POST /_sim/wechat/follow {"openid","unionid","following"?}               关注公众号
POST /_sim/wechat/templates {"title","fields","official"?,"banned"?} · GET
POST /_sim/wechat/force {"path","errcode","times"?}
GET  /_sim/wechat/messages?openid=                                       每部手机收到的消息
POST /_sim/wechat/payments {"openid","transaction_id"?,"mchid"?,"out_trade_no"?,"paid_fen"?,"pay_time"?,
                           "visible_after"?,"combine_out_trade_no"?} 或 {"payments":[…]}
GET  /_sim/wechat/payments?transaction_id=                               报了什么、几次
POST /_sim/wechat/payments/act {"act": "confirm"|"refund"|"complain"|"appease","transaction_id" 或 "out_trade_no"}
PUT  /_sim/wechat/settlement {"managed"?,"days"?,"delay_seconds"?}
PUT  /_sim/服务 {各服务的习惯，如 kdniao 的 "plans","state_as_number","old_no_trace"}
PUT  /_sim/shipments/运单号 {"provider"?,"carrier_code","scenario" 或 "payload","speed"?,"push"?,
                            "known_by"? [服务…],"group"?,"phone_tail"?,
                            "consignee"? {"name","phone"},"origin"?,"destination"?}
GET  /_sim/shipments · GET /_sim/shipments/运单号 · DELETE /_sim/shipments/运单号
POST /_sim/faults {"service","kind","rate"?,"seconds"?,"latency_seconds"?} · GET · DELETE
GET  /_sim/calls?service=&since=
GET  /_sim/sms?phone= → 手机收到的短信（含验证码）· PUT /_sim/aliyun_sms {"error"?,"undelivered"?}"""


def table(title: str, head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    cells = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    empty = f'<tr><td colspan="{len(head)}">无</td></tr>'
    heads = "".join(f"<th>{escape(name)}</th>" for name in head)
    return f"<h2>{escape(title)}</h2><table><tr>{heads}</tr>{cells or empty}</table>"


def render(world: World, pusher: Pusher) -> str:
    parts = [_shipments(world), _faults(world), _queue(pusher), _calls(world), _scenarios()]
    return (
        '<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta http-equiv="refresh" content="5">'
        f"<title>沙箱</title><style>{STYLE}</style><h1>沙箱：外部服务的替身</h1>"
        f"<p>现在 {wall_clock(world.clock())}（北京时间），共 {len(world.shipments)} 个运单。"
        "没有登记的运单一律答“暂无轨迹”。页面每 5 秒刷新。"
        '<a href="/_sim/phones">手机、员工群和商家系统收到的消息</a></p>'
        f"<details><summary>怎样控制</summary><pre>{escape(HOW_TO)}</pre></details>{''.join(parts)}</html>"
    )


def _shipments(world: World) -> str:
    now = world.clock()
    newest = list(world.shipments.values())[: -SHOWN - 1 : -1]
    rows = []
    for shipment in newest:
        happened = shipment.events(now)
        following = shipment.next_at(now)
        rows.append(
            (
                shipment.waybill_no,
                shipment.carrier_code,
                shipment.scenario or "指定的应答",
                f"{shipment.speed:g}×",
                f"{len(happened)}/{len(shipment.story)}",
                f"{happened[-1].code} {happened[-1].text}" if happened else "暂无轨迹",
                wall_clock(following) if following else "",
            )
        )
    return table("运单（最新在前）", ("运单号", "承运商", "场景", "时间倍数", "进度", "最近轨迹", "下一节点"), rows)


def _faults(world: World) -> str:
    active = world.faults.active()
    rows = [(f.service, f"{f.kind} {KINDS[f.kind]}", f"{f.rate:.0%}", isoformat(f.until)) for f in active]
    return table("正在制造的故障", ("服务", "种类", "比例", "到"), rows)


def _queue(pusher: Pusher) -> str:
    rows = [(wall_clock(p.due), "、".join(p.waybill_nos), p.attempt + 1) for p in pusher.queue[:SHOWN]]
    return table("等待推送", ("时间", "运单号", "第几次"), rows)


def _calls(world: World) -> str:
    rows = [
        (
            wall_clock(call.at),
            f"{call.service} {'推送' if call.direction == 'out' else '被调用'}",
            f"{call.method} {call.path}",
            call.status or "无应答",
            call.fault,
            str(call.request)[:160],
            str(call.response)[:160],
        )
        for call in world.calls.find()[: -SHOWN - 1 : -1]
    ]
    return table("最近的往来", ("时间", "服务", "接口", "状态", "故障", "请求", "应答"), rows)


def _scenarios() -> str:
    rows = [(name, s.title, f"{s.hours:g} 小时", s.end_code) for name, s in SCENARIOS.items()]
    rows += [(name, "采集到的真实应答或推送", "", "") for name in sample_names()]
    return table("场景", ("名称", "说明", "全程", "最后的 StateEx"), rows)
