"""快递鸟's codes in our words.

Source: 快递鸟 API documentation, 在途监控 (8001/8008) tables of State, StateEx and Action, as of 2026-10. The three
fields share one code space. 0–412 stand in several editions of the documentation; 10, 204–206, 413–423, 5, 6 and
601–604 only in the newer ones.
"""

from collections.abc import Mapping

from logistics.models import ShipmentStatus as S

CODES: Mapping[str, S] = {
    "0": S.NO_TRACE,  # 暂无轨迹
    "10": S.NO_TRACE,  # 待揽件: announced, not yet in the carrier's hands
    "1": S.PICKED_UP,  # 已揽收
    "2": S.IN_TRANSIT,  # 在途中
    "201": S.IN_TRANSIT,  # 到达派件城市; older documents put it into State itself
    "204": S.IN_TRANSIT,  # 到达转运中心
    "205": S.IN_TRANSIT,  # 到达派件网点
    "206": S.IN_TRANSIT,  # 寄件网点发件
    "202": S.OUT_FOR_DELIVERY,  # 派件中
    "419": S.OUT_FOR_DELIVERY,  # 重新派送
    "211": S.AWAITING_PICKUP,  # 已放入快递柜或驿站
    "418": S.AWAITING_PICKUP,  # 快件取出: it doesn't say by whom (311 says so), hence never a delivery
    "3": S.DELIVERED,  # 已签收
    "301": S.DELIVERED,  # 正常签收; may be followed by 211 and 301 again, then the newest counts
    "302": S.DELIVERED,  # 派件异常后最终签收; State beside it stays 4
    "304": S.DELIVERED,  # 代收签收
    "311": S.DELIVERED,  # 快递柜或驿站签收 (older: 已取出快递柜或驿站)
    "4": S.EXCEPTION,  # 问题件; as State it stays 4 for ever after any problem on the way
    "401": S.EXCEPTION,  # 发货无信息
    "402": S.EXCEPTION,  # 超时未签收 (more than 36 h out for delivery)
    "403": S.EXCEPTION,  # 超时未更新 (more than 5 days)
    "405": S.EXCEPTION,  # 派件异常
    "412": S.EXCEPTION,  # 快递柜或驿站超时未取 (more than 18 h)
    "414": S.EXCEPTION,  # 破损
    "416": S.EXCEPTION,  # 无法联系
    "417": S.EXCEPTION,  # 配送延迟
    "420": S.EXCEPTION,  # 收货地址不详细
    "421": S.EXCEPTION,  # 收件人电话错误
    "422": S.EXCEPTION,  # 错分件
    "423": S.EXCEPTION,  # 超区件
    "404": S.RETURNING,  # 拒收(退件)
    "407": S.RETURNING,  # 退货未签收
    "406": S.RETURNED,  # 退货签收: signed for by the sender, no delivery
    "5": S.FORWARDED,  # 转寄
    "6": S.CUSTOMS,  # 清关
    "601": S.CUSTOMS,  # 待清关
    "602": S.CUSTOMS,  # 清关中
    "603": S.CUSTOMS,  # 已清关
    "604": S.CUSTOMS,  # 清关异常
    "413": S.CANCELLED,  # 单号已拦截
    "415": S.CANCELLED,  # 客户取消发货
}
