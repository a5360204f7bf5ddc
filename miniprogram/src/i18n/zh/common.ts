import type { OrderStatus, ShipmentStatus } from "@/api/types";

const orderStatus: Record<OrderStatus, string> = {
  placed: "已下单",
  paid: "已付款",
  shipped: "已发货",
  in_transit: "运输中",
  delivered: "已签收",
  cancelled: "已取消",
  refunded: "已退款",
  returned: "已退回",
};

const shipmentStatus: Record<ShipmentStatus, string> = {
  no_trace: "暂无轨迹",
  picked_up: "已揽收",
  in_transit: "运输中",
  out_for_delivery: "派送中",
  awaiting_pickup: "待取件",
  delivered: "已签收",
  delivery_failed: "派送未成功",
  exception: "问题件",
  returning: "退回中",
  returned: "已退回",
  forwarded: "转寄中",
  customs: "清关中",
  cancelled: "已取消",
  unknown: "状态待确认",
};

export const common = {
  orderStatus,
  shipmentStatus,
  retry: "重试",
  cancel: "取消",
  copy: "复制",
  copied: "已复制",
  contactShop: "联系商家",
  signIn: "登录",
  loading: "正在加载",
  trouble: {
    offline: "没有网络，请检查后重试",
    network: "网络不太顺畅，请稍后重试",
    unavailable: "服务暂时不可用，请稍后重试",
    rate_limited: "操作太频繁，请稍等一会儿",
    unauthenticated: "请先登录",
    order_not_found: "没有找到这个订单",
    other: "出了点问题，请重试；一直这样请联系商家",
  },
};
