import type { AlertKind, EtaBasis, TemperatureClass } from "@/api/types";
import type { AlertWords } from "@/domain/alerts";
import type { Interval, PartOfDay } from "@/domain/eta";
import type { Day } from "@/domain/instants";
import type { Next } from "@/domain/outlook";

type ByCold = Record<TemperatureClass, string>;

const WEEKDAYS = ["周日", "周一", "周二", "周三", "周四", "周五", "周六"];
const NEAR: Record<string, string> = { "-1": "昨天", "0": "今天", "1": "明天" };
const PARTS: Record<PartOfDay, string> = { morning: "上午", afternoon: "下午", evening: "晚上" };

const date = (day: Day): string => `${day.otherYear ? `${day.year}年` : ""}${day.month}月${day.day}日`;
const near = (day: Day): string | undefined => NEAR[String(day.away)];
const dayName = (day: Day): string => near(day) ?? date(day);

function days(first: Day, last: Day): string {
  if (first.away === 0 && last.away === 1) return "今天或明天";
  const sameMonth = !near(first) && first.month === last.month && first.year === last.year;
  return `${dayName(first)}–${sameMonth ? `${last.day}日` : near(first) ? dayName(last) : date(last)}`;
}

/** A part of the day stands beside its name without a blank where the name is a word: 今天下午, 11月24日 下午. */
const on = (day: Day, rest: string): string =>
  `${dayName(day)}${near(day) && !/^\d/.test(rest) ? "" : " "}${rest}`;

function interval(told: Interval): string {
  switch (told.kind) {
    case "past":
      return on(told.day, told.clock);
    case "within_hour":
      return "1 小时内";
    case "hours":
      return on(told.day, `${told.from}–${told.to}`);
    case "until":
      return on(told.day, `${told.clock} 前`);
    case "part":
      return on(told.day, PARTS[told.part]);
    case "day":
      return dayName(told.day);
    case "days":
      return days(told.first, told.last);
  }
}

const chill: ByCold = { frozen: "冷冻", chilled: "冷藏", ambient: "放好" };
const check: ByCold = {
  frozen: "收到后先看是否仍然冻硬，有化冻请拍照并联系商家。",
  chilled: "收到后先看是否仍然冰凉，有异味请拍照并联系商家。",
  ambient: "收到后请先检查包装是否完好。",
};

const next: Record<Next, (cold: TemperatureClass) => string> = {
  pay: () => "等待付款，付款后商家会安排发货",
  packing: () => "商家正在备货，发出后这里会显示运单",
  first_scan: () => "商家已发货，等待承运商揽收",
  on_the_way: () => "包裹正在路上",
  courier: () => "快递员正在派送，请留意电话",
  pickup: (cold) =>
    cold === "ambient" ? "包裹在驿站或快递柜，等您取件" : `包裹在驿站或快递柜，请尽快取出并${chill[cold]}`,
  failed: () => "这次没有送成，请联系快递员约定时间",
  problem: () => "包裹在途中遇到问题，商家正在处理",
  going_back: () => "包裹正在退回商家",
  rest_unshipped: () => "已发出的包裹都已签收，其余商品还没有发货",
  store: (cold) => (cold === "ambient" ? "请开箱检查" : `请马上开箱检查并${chill[cold]}`),
  arrived: () => "包裹已送达，检查无误后可以确认收货",
  confirmed: () => "您已确认收货，感谢惠顾",
  cancelled: () => "订单已取消，不会再发货",
  cancelled_paid: () => "订单已取消，已付的款项会另行退回",
  returned: () => "包裹已退回商家，退款或重新发货请联系商家",
  refunded: () => "已全额退款，到账时间以付款渠道为准",
  unclear: () => "状态正在核对，请稍后再看",
};

const forStaff: AlertWords = { told: "这个订单有一个情况，商家正在处理。", todo: () => "" };

const alerts: Record<AlertKind, AlertWords> = {
  not_shipped: { told: "订单比平时发得晚。", todo: () => "您不用做什么；急用可以联系商家。" },
  stale: { told: "物流有一段时间没有更新。", todo: () => "可以刷新物流，或向商家了解进展。" },
  exception: { told: "包裹在运输中遇到问题。", todo: (cold) => check[cold] },
  delivery_failed: {
    told: "快递员派送未成功。",
    todo: (cold) =>
      cold === "ambient" ? "请今天就约好再次派送。" : "冷链商品不能久放，请现在就约好再次派送。",
  },
  locker_waiting: {
    told: "包裹已到驿站或快递柜。",
    todo: (cold) => (cold === "ambient" ? "请在营业时间内取出。" : `请在 2 小时内取出并${chill[cold]}。`),
  },
  returning: { told: "包裹正在退回。", todo: () => "越早联系商家，越可能拦下重新派送。" },
  returned: { told: "包裹已退回商家。", todo: () => "您也可以主动联系商家。" },
  partly_returned: { told: "部分包裹已退回商家。", todo: () => "其余包裹不受影响，可以照常收货。" },
  paid_after_cancelled: { told: "订单取消后收到了付款。", todo: () => "一直没有收到退款时，请联系商家。" },
  shipped_unpaid: forStaff,
  shipped_after_cancelled: forStaff,
  refund_partial: forStaff,
  money_conflict: forStaff,
  clock_anomaly: forStaff,
  unknown_code: forStaff,
  earlier_life: forStaff,
  lost_contact: { told: "很久没有收到包裹的消息。", todo: () => "可以和商家商量补发或退款。" },
  provider_trouble: forStaff,
  order_changed_after_shipping: forStaff,
  no_pickup: { told: "包裹在等待承运商揽收。", todo: () => "您不用做什么，揽收后这里会显示位置。" },
  late_eta: { told: "包裹比预计的时间晚了。", todo: (cold) => check[cold] },
  late_promise: { told: "包裹可能晚于承诺的时间送达。", todo: (cold) => check[cold] },
  out_too_long: { told: "包裹派送的时间比平时长。", todo: () => "可以直接打电话问问快递员。" },
  unreachable: {
    told: "快递员联系不上您。",
    todo: (cold) => (cold === "ambient" ? "请回拨快递员。" : "请现在就回拨快递员，冷链商品不能久放。"),
  },
  wrong_address: { told: "收货地址或电话可能有误。", todo: () => "核对之后才能继续派送，请现在就联系商家。" },
  refused: { told: "包裹显示拒收。", todo: () => "是您本人拒收的，就不用再做什么。" },
  damaged: {
    told: "包裹在运输中可能受损。",
    todo: (cold) =>
      cold === "ambient" ? "收到后请先拍照再拆。" : "收到后请先拍照，已经化冻或破损的不要食用。",
  },
  missorted: { told: "包裹发错了方向。", todo: () => "您不用做什么，送达时间会晚一些。" },
  lost: { told: "很久没有收到包裹的消息。", todo: () => "可以和商家商量补发或退款。" },
  wrong_number: forStaff,
  incident: forStaff,
  messaging: forStaff,
  settlement: forStaff,
};

const basis: Record<EtaBasis, string> = {
  default: "根据这条路线通常的时效估计",
  status: "根据包裹现在的状态估计",
  lane: "根据同一路线最近的包裹估计",
  destination: "根据送往同一城市的包裹估计",
  carrier: "根据这家承运商最近的包裹估计",
  merchant: "根据本店最近的包裹估计",
  provider: "由物流服务商预计",
};

const temperature: Record<TemperatureClass, string> = { frozen: "冷冻", chilled: "冷藏", ambient: "常温" };

export const order = {
  next,
  alerts,
  basis,
  temperature,
  /** A day as the head of its scans. */
  dayHead: (day: Day): string => `${near(day) ? `${near(day)} ` : ""}${date(day)} ${WEEKDAYS[day.weekday]}`,
  when: (day: Day, clock: string): string => `${dayName(day)} ${clock}`,
  arrival: (told: Interval, first: boolean): string =>
    told.kind === "past"
      ? `已过预计的送达时间（${interval(told)}），还在路上`
      : `${first ? "最近一个包裹" : ""}预计 ${interval(told)}送达`,
  parcelArrival: (told: Interval): string =>
    told.kind === "past" ? `已过预计时间（${interval(told)}）` : `预计 ${interval(told)}送达`,
  noArrival: "送达时间暂时估计不了，有新消息会更新",
  why: "怎么估计的",
  whyTold: (how: string, explanation: string, percent: number): string =>
    `${how}${explanation ? `（${explanation}）` : ""}，约 ${percent}% 的把握在这段时间内送到。路况、天气和节假日都可能有影响。`,
  steps: "订单进度",
  stepStates: { done: "已完成", current: "当前", skipped: "没有记录", ahead: "未到", out: "已结束" },
  alertsTitle: "需要留意",
  since: (when: string): string => `${when} 起`,
  callCourier: "联系快递员",
  callStation: "联系驿站",
  callShop: "拨打商家电话",
  dial: "拨打",
  unnamed: "未命名商品",
  colon: "：",
  /** A day in as little room as can be. */
  stepDay: (day: Day): string => `${day.otherYear ? `${day.year} ` : ""}${day.month}-${day.day}`,
  signInForNews: "登录后查看最新进展",
  parcels: (count: number): string => (count > 1 ? `${count} 个包裹` : "包裹"),
  parcel: (number: number): string => `包裹 ${number}`,
  counted: (count: number, status: string): string => `${count} 个${status}`,
  listed: (parts: string[]): string => parts.join("，"),
  waybill: "运单号",
  noWaybill: "还没有运单号",
  carrierUnknown: "承运商待确认",
  place: "最新位置",
  copyWaybill: "复制运单号",
  callCarrier: "联系承运商",
  callNumber: (phone: string): string => `拨打 ${phone}`,
  checkedAt: (when: string): string => `查询于 ${when}`,
  stale: (silence: string, checked: string): string =>
    `${silence ? `已 ${silence}没有新消息` : "还没有任何消息"}${checked ? `，最后查询 ${checked}` : ""}`,
  hours: (hours: number): string =>
    hours < 1 ? "不到 1 小时" : hours < 48 ? `${hours} 小时` : `${Math.floor(hours / 24)} 天`,
  noScans: "承运商还没有扫描记录，揽收后会显示在这里",
  noParcels: "还没有发货，发出后这里会显示包裹的位置",
  noParcelsShipped: "运单还没有登记，登记后这里会显示包裹的位置",
  noParcelsEnded: "这个订单没有包裹",
  showAll: (count: number): string => `查看全部 ${count} 条`,
  showFewer: "收起",
  refresh: "刷新物流",
  refreshed: "已是最新物流",
  justAsked: (clock: string): string => `刚刚查过，${clock} 后可再查`,
  noAnswer: "承运商暂时没有回应，请稍后再试",
  weixinPage: "在微信里查看物流",
  weixinPageFailed: "暂时打不开微信的物流页",
  goods: "商品",
  goodsUnknown: "商品明细暂时看不到",
  quantity: (count: number): string => `×${count}`,
  total: "合计",
  orderNo: "订单号",
  copyOrderNo: "复制订单号",
  placedAt: "下单时间",
  consignee: "收件人",
  address: "收货地址",
  confirmReceipt: "确认收货",
  confirmQuestion: {
    title: "确认已收到商品？",
    delivered: "请先开箱检查。确认后货款会结算给商家。",
    early: "物流还没有显示签收。真的收到全部商品了再确认，确认后货款会结算给商家。",
    yes: "已收到",
    no: "还没有",
  },
  confirmedNow: "已确认收货",
  remind: "接收提醒",
  remindHint: (titles: string): string => `${titles}，用微信告诉您`,
  reminded: "好的，到时会用微信告诉您",
  notReminded: "没有开启提醒，随时可以再开",
  share: "分享",
  shareTitle: (shop: string): string => (shop ? `${shop}的订单物流` : "订单物流"),
  pageTitle: "订单详情",
  notNew: (why: string, when: string): string => `${why}。下面是 ${when} 的内容。`,
  archived: "这是归档的订单，只能查看",
  signInTitle: "登录后查看订单",
  signInHint: "登录后就能看到包裹到了哪里",
  notFoundHint: "它可能属于另一个微信或手机号。可以换个账号登录，或在我的订单里查找。",
  noNumber: "没有指明是哪个订单",
  noNumberHint: "请从我的订单里打开。",
  myOrders: "我的订单",
  otherAccount: "换个账号登录",
};
