import type { AlertWords } from "@/domain/alerts";
import type { TemperatureClass } from "@/api/types";
import type { Interval, PartOfDay } from "@/domain/eta";
import type { Day } from "@/domain/instants";
import type { Messages } from "../zh";

type ByCold = Record<TemperatureClass, string>;

const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const NEAR: Record<string, string> = { "-1": "yesterday", "0": "today", "1": "tomorrow" };
const PARTS: Record<PartOfDay, string> = { morning: "morning", afternoon: "afternoon", evening: "evening" };

const date = (day: Day): string =>
  `${MONTHS[day.month - 1]} ${day.day}${day.otherYear ? `, ${day.year}` : ""}`;
const near = (day: Day): string | undefined => NEAR[String(day.away)];
const dayName = (day: Day): string => near(day) ?? date(day);
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function days(first: Day, last: Day): string {
  if (first.away === 0 && last.away === 1) return "today or tomorrow";
  if (near(first)) return `${dayName(first)} to ${dayName(last)}`;
  const sameMonth = first.month === last.month && first.year === last.year && !first.otherYear;
  return sameMonth ? `${date(first)}–${last.day}` : `${date(first)} – ${date(last)}`;
}

function interval(told: Interval): string {
  switch (told.kind) {
    case "past":
      return `${dayName(told.day)} ${told.clock}`;
    case "within_hour":
      return "within an hour";
    case "hours":
      return `${dayName(told.day)}, ${told.from}–${told.to}`;
    case "until":
      return `${dayName(told.day)} by ${told.clock}`;
    case "part":
      return near(told.day) ? part(told.day, told.part) : `${date(told.day)}, ${PARTS[told.part]}`;
    case "day":
      return dayName(told.day);
    case "days":
      return days(told.first, told.last);
  }
}

function part(day: Day, name: PartOfDay): string {
  return day.away === 0 ? `this ${PARTS[name]}` : `${dayName(day)} ${PARTS[name]}`;
}

const check: ByCold = {
  frozen: "Check on arrival that the goods are still frozen hard; if not, take photos and contact the shop.",
  chilled: "Check on arrival that the goods are still cold; if not, take photos and contact the shop.",
  ambient: "Check on arrival that the box is whole.",
};

const forStaff: AlertWords = { told: "The shop is looking into something about this order.", todo: () => "" };

export const order: Messages["order"] = {
  next: {
    pay: () => "Waiting for payment; the shop ships after that",
    packing: () => "The shop is packing; the waybill shows here once it is sent",
    first_scan: () => "Sent by the shop, waiting for the carrier to pick it up",
    on_the_way: () => "The parcel is on its way",
    courier: () => "The courier is on the way: please keep your phone at hand",
    pickup: (cold) =>
      ({
        frozen: "Waiting at a station or locker: please take it out soon and freeze it",
        chilled: "Waiting at a station or locker: please take it out soon and keep it cool",
        ambient: "Waiting for you at a station or locker",
      })[cold],
    failed: () => "The delivery failed: please agree on a new time with the courier",
    problem: () => "There is a problem on the way; the shop is dealing with it",
    going_back: () => "The parcel is going back to the shop",
    rest_unshipped: () => "Every parcel sent so far has arrived; the rest is not sent yet",
    store: (cold) =>
      ({
        frozen: "Please open the box, check the goods and freeze them now",
        chilled: "Please open the box, check the goods and cool them now",
        ambient: "Please open the box and check the goods",
      })[cold],
    arrived: () => "It has arrived; confirm once you have checked the goods",
    confirmed: () => "You confirmed the receipt. Thank you",
    cancelled: () => "The order is cancelled and will not be sent",
    cancelled_paid: () => "The order is cancelled; what you paid will be returned",
    returned: () => "The parcel went back; contact the shop for a refund or another parcel",
    refunded: () => "Refunded in full; when it arrives depends on how you paid",
    unclear: () => "The status is being checked, please look again later",
  },
  alerts: {
    not_shipped: {
      told: "The order is leaving later than usual.",
      todo: () => "You need not do anything; if it is urgent, contact the shop.",
    },
    stale: {
      told: "There has been no news of the parcel for a while.",
      todo: () => "You can refresh, or ask the shop.",
    },
    exception: { told: "The parcel met a problem on the way.", todo: (cold) => check[cold] },
    delivery_failed: {
      told: "The courier could not deliver.",
      todo: (cold) =>
        cold === "ambient"
          ? "Please agree on a new time today."
          : "Cold goods can't wait: please agree on a new time now.",
    },
    locker_waiting: {
      told: "The parcel waits at a station or locker.",
      todo: (cold) =>
        ({
          frozen: "Take it out within 2 hours and freeze it.",
          chilled: "Take it out within 2 hours and keep it cool.",
          ambient: "Take it out within the opening hours.",
        })[cold],
    },
    returning: {
      told: "The parcel is going back.",
      todo: () => "The sooner you contact the shop, the likelier it can be stopped.",
    },
    returned: { told: "The parcel went back to the shop.", todo: () => "You can contact the shop, too." },
    partly_returned: {
      told: "Some of the parcels went back to the shop.",
      todo: () => "The others are not affected.",
    },
    paid_after_cancelled: {
      told: "A payment came in after the order was cancelled.",
      todo: () => "If the refund doesn't come, contact the shop.",
    },
    shipped_unpaid: forStaff,
    shipped_after_cancelled: forStaff,
    refund_partial: forStaff,
    money_conflict: forStaff,
    clock_anomaly: forStaff,
    unknown_code: forStaff,
    earlier_life: forStaff,
    lost_contact: {
      told: "There has been no news of the parcel for a long time.",
      todo: () => "You can ask the shop for another parcel or a refund.",
    },
    provider_trouble: forStaff,
    order_changed_after_shipping: forStaff,
    no_pickup: {
      told: "The parcel is waiting for the carrier to pick it up.",
      todo: () => "You need not do anything; its place shows here once it is picked up.",
    },
    late_eta: { told: "The parcel is later than expected.", todo: (cold) => check[cold] },
    late_promise: { told: "The parcel may miss the promised time.", todo: (cold) => check[cold] },
    out_too_long: {
      told: "The delivery is taking longer than usual.",
      todo: () => "You can call the courier and ask.",
    },
    unreachable: {
      told: "The courier can't reach you.",
      todo: (cold) =>
        cold === "ambient"
          ? "Please call the courier back."
          : "Please call the courier back now: cold goods can't wait.",
    },
    wrong_address: {
      told: "The address or phone number may be wrong.",
      todo: () => "Please contact the shop now: it can't be delivered before.",
    },
    refused: {
      told: "The parcel is reported as refused.",
      todo: () => "If you refused it yourself, you need not do anything. If not, contact the shop.",
    },
    damaged: {
      told: "The parcel may have been damaged on the way.",
      todo: (cold) =>
        cold === "ambient"
          ? "Take photos before you open it."
          : "Take photos first; don't eat what has thawed or is broken.",
    },
    missorted: {
      told: "The parcel was sent the wrong way.",
      todo: () => "You need not do anything; it will come a little later.",
    },
    lost: {
      told: "There has been no news of the parcel for a long time.",
      todo: () => "You can ask the shop for another parcel or a refund.",
    },
    wrong_number: forStaff,
    incident: forStaff,
    messaging: forStaff,
    settlement: forStaff,
  },
  basis: {
    default: "By what is usual on this road",
    status: "By where the parcel is now",
    lane: "By recent parcels on the same road",
    destination: "By recent parcels to the same city",
    carrier: "By recent parcels of this carrier",
    merchant: "By recent parcels of this shop",
    provider: "Predicted by the tracking service",
  },
  temperature: { frozen: "Frozen", chilled: "Chilled", ambient: "Ambient" },
  dayHead: (day) => `${near(day) ? `${capital(near(day)!)}, ` : ""}${WEEKDAYS[day.weekday]} ${date(day)}`,
  when: (day, clock) => `${dayName(day)} ${clock}`,
  arrival: (told, first) =>
    told.kind === "past"
      ? `Was expected by ${interval(told)}, still on its way`
      : `${first ? "Next parcel expected" : "Expected"} ${interval(told)}`,
  parcelArrival: (told) =>
    told.kind === "past" ? `Was expected by ${interval(told)}` : `Expected ${interval(told)}`,
  noArrival: "The arrival can't be told yet",
  why: "How this is estimated",
  // The server explains in Chinese.
  whyTold: (how, _explanation, percent) =>
    `${how}; about ${percent}% sure to be within this time. Roads, weather and holidays may change it.`,
  steps: "Progress",
  stepStates: { done: "done", current: "now", skipped: "not recorded", ahead: "to come", out: "ended" },
  alertsTitle: "Please note",
  since: (when) => `Since ${when}`,
  callCourier: "Call the courier",
  callStation: "Call the station",
  callShop: "Call the shop",
  dial: "Call",
  unnamed: "Unnamed goods",
  colon: ": ",
  stepDay: (day) => `${MONTHS[day.month - 1]} ${day.day}${day.otherYear ? ` ${day.year}` : ""}`,
  signInForNews: "Sign in to see the latest",
  parcels: (count) => (count > 1 ? `${count} parcels` : "Parcel"),
  parcel: (number) => `Parcel ${number}`,
  counted: (count, status) => `${count} ${status.toLowerCase()}`,
  listed: (parts) => parts.join(", "),
  waybill: "Waybill",
  noWaybill: "No waybill number yet",
  carrierUnknown: "Carrier not known yet",
  place: "Latest place",
  copyWaybill: "Copy the waybill number",
  callCarrier: "Call the carrier",
  callNumber: (phone) => `Call ${phone}`,
  checkedAt: (when) => `Checked ${when}`,
  stale: (silence, checked) =>
    `${silence ? `No news for ${silence}` : "No news so far"}${checked ? `, last checked ${checked}` : ""}`,
  hours: (hours) =>
    hours < 1
      ? "less than an hour"
      : hours < 48
        ? `${hours} hour${hours > 1 ? "s" : ""}`
        : `${Math.floor(hours / 24)} days`,
  noScans: "The carrier has not scanned it yet; it shows here once it is picked up",
  noParcels: "Not sent yet; the place of the parcel shows here once it is",
  noParcelsShipped: "The waybill is not known yet; it shows here once it is",
  noParcelsEnded: "This order has no parcel",
  showAll: (count) => `Show all ${count}`,
  showFewer: "Show fewer",
  refresh: "Refresh tracking",
  refreshed: "Tracking is up to date",
  justAsked: (clock) => `Just checked; you can check again after ${clock}`,
  noAnswer: "The carrier doesn't answer, please try again later",
  weixinPage: "Track in WeChat",
  weixinPageFailed: "WeChat's tracking page can't be opened now",
  goods: "Goods",
  goodsUnknown: "The goods can't be shown now",
  quantity: (count) => `×${count}`,
  total: "Total",
  orderNo: "Order",
  copyOrderNo: "Copy the order number",
  placedAt: "Placed",
  consignee: "To",
  address: "Address",
  confirmReceipt: "Confirm receipt",
  confirmQuestion: {
    title: "Have you received the goods?",
    delivered: "Please check the box first. The shop is paid once you confirm.",
    early:
      "The carrier doesn't report a delivery yet. Confirm only if you have everything: the shop is then paid.",
    yes: "Yes",
    no: "No",
  },
  confirmedNow: "Receipt confirmed",
  remind: "Remind me",
  remindHint: (titles) => `${titles}: told in WeChat`,
  reminded: "You will be told in WeChat",
  notReminded: "Reminders are off; you can turn them on at any time",
  share: "Share",
  shareTitle: (shop) => (shop ? `Order tracking – ${shop}` : "Order tracking"),
  pageTitle: "Order",
  notNew: (why, when) => `${why}. This is as of ${when}.`,
  archived: "This order is archived and can only be read",
  signInTitle: "Sign in to see the order",
  signInHint: "Then you see where the parcel is",
  notFoundHint:
    "It may belong to another WeChat account or phone. Sign in with that, or look through your orders.",
  noNumber: "No order was named",
  noNumberHint: "Please open it from your orders.",
  myOrders: "My orders",
  otherAccount: "Sign in otherwise",
};
