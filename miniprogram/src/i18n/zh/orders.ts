import type { Tab } from "@/domain/listing";

const tabs: Record<Tab, string> = {
  all: "全部",
  placed: "已下单",
  paid: "已付款",
  shipped: "已发货",
  in_transit: "运输中",
  delivered: "已签收",
  over: "售后",
};

export const orders = {
  title: "我的订单",
  tab: "订单",
  tabs,
  tabsLabel: "按进度筛选",
  overLabel: "取消、退款和退货",
  tabCounted: (name: string, count: string): string => (count ? `${name}，${count} 个` : name),

  searchLabel: "搜索订单",
  searchHint: "订单号或运单号",
  clear: "清除",
  clearSearch: "清除搜索",
  find: "查单",
  dates: "日期",
  from: "开始日期",
  to: "结束日期",
  anyDay: "不限",
  lastDays: (days: number): string => `近 ${days} 天`,

  orderNo: (orderNo: string): string => `订单 ${orderNo}`,
  noLines: "商品明细暂时看不到",
  parcels: (count: number): string => `${count} 个包裹`,
  /** The status of a parcel and where it is. */
  place: (status: string, location: string): string => (location ? `${status} · ${location}` : status),
  alerts: (count: number): string => (count > 1 ? `${count} 项需要留意` : "需要留意"),
  placed: (when: string): string => `${when} 下单`,

  loadingMore: "正在加载更多",
  loadMore: "加载更多",
  moreFailed: (why: string): string => `后面的订单没有加载出来：${why}`,
  end: (count: number): string => `共 ${count} 个订单，没有更多了`,
  endAll: "没有更多了",
  keptFrom: (when: string): string => `显示的是 ${when} 的内容`,

  empty: {
    all: "还没有订单",
    allHint: "下单后，包裹到哪里、什么时候送到，都会显示在这里。",
    tab: (name: string): string => `没有${name}的订单`,
    showAll: "查看全部订单",
    search: "没有找到符合条件的订单",
    searchText: "没有找到这个订单",
    searchTextHint: "请输入完整的订单号或运单号。用别的手机号下的订单，绑定那个手机号后才能查到。",
    searchDatesHint: "换个日期范围试试。",
    searchElsewhere: "在全部订单里找",
  },
  /** Between two sentences. */
  stop: "；",
  failed: "订单没有加载出来",

  bind: {
    title: "绑定手机号，查看用手机号下的订单",
    again: "手机号验证已过期，重新验证后可继续查看用它下的订单",
    act: "去绑定",
    later: "暂不",
  },

  guest: {
    title: (shop: string): string => (shop ? `${shop} · 订单物流` : "订单物流"),
    what: "查看冻品订单到了哪里、预计什么时候送到，收货有问题可以马上联系商家。",
    points: [
      "每个包裹的最新位置和全程轨迹",
      "预计送达时间，晚到会提前告诉您",
      "到驿站或快递柜时提醒您及时取出冷冻",
    ],
    signIn: "用手机号登录",
    signInWeixin: "登录",
    why: "登录只用来找到您的订单。",
    expired: "登录已过期，请重新登录",
    shopPhone: (phone: string): string => `商家电话 ${phone}`,
  },

  finding: {
    title: "查找订单",
    label: "订单号或运单号",
    hint: "粘贴短信、面单上的文字也可以",
    act: "查找",
    scan: "扫面单上的条码",
    missing: "请输入或粘贴订单号、运单号",
    noNumber: "这里面没有找到订单号或运单号，请检查后重试",
    nothingScanned: "没有识别到条码，请对准后再试，或直接输入号码",
    several: (count: number): string => `找到 ${count} 个订单`,
    none: (number: string): string => `没有找到 ${number}`,
    noneHint: "请核对号码。如果是用手机号下的单，绑定那个手机号后再查；仍然没有请联系商家。",
    bind: "绑定手机号",
    guest: "登录后才能查找自己的订单",
    where: "订单号在下单成功的页面和短信里；运单号在包裹面单的条码下方。",
  },
};
