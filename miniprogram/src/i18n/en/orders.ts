import type { Messages } from "../zh";

export const orders: Messages["orders"] = {
  title: "My orders",
  tab: "Orders",
  tabs: {
    all: "All",
    placed: "Placed",
    paid: "Paid",
    shipped: "Shipped",
    in_transit: "On its way",
    delivered: "Delivered",
    over: "Closed",
  },
  tabsLabel: "Filter by step",
  overLabel: "Cancelled, refunded and returned",
  tabCounted: (name, count) => (count ? `${name}, ${count}` : name),

  searchLabel: "Search orders",
  searchHint: "Order or waybill number",
  clear: "Clear",
  clearSearch: "Clear the search",
  find: "Find",
  dates: "Dates",
  from: "From",
  to: "To",
  anyDay: "Any",
  lastDays: (days) => `Last ${days} days`,

  orderNo: (orderNo) => `Order ${orderNo}`,
  noLines: "The goods can't be shown right now",
  parcels: (count) => (count === 1 ? "1 parcel" : `${count} parcels`),
  place: (status, location) => (location ? `${status} · ${location}` : status),
  alerts: (count) => (count > 1 ? `${count} things need attention` : "Needs attention"),
  placed: (when) => `Placed ${when}`,

  loadingMore: "Loading more",
  loadMore: "Load more",
  moreFailed: (why) => `The next orders could not be loaded: ${why}`,
  end: (count) => (count === 1 ? "1 order, that's all" : `${count} orders, that's all`),
  endAll: "That's all",
  keptFrom: (when) => `As it was ${when}`,

  empty: {
    all: "No orders yet",
    allHint: "Once you have ordered, you see here where your parcels are and when they arrive.",
    tab: (name) => `No orders under “${name}”`,
    showAll: "Show all orders",
    search: "No order matches",
    searchText: "No such order was found",
    searchTextHint:
      "Please enter the whole order or waybill number. Orders placed with another phone number are found once that number is bound.",
    searchDatesHint: "Try other dates.",
    searchElsewhere: "Search all orders",
  },
  stop: " · ",
  failed: "The orders could not be loaded",

  bind: {
    title: "Bind your phone to see orders placed with it",
    again: "Verify your phone again to go on seeing the orders placed with it",
    act: "Bind",
    later: "Not now",
  },

  guest: {
    title: (shop) => (shop ? `${shop} · order tracking` : "Order tracking"),
    what: "See where your frozen goods are and when they arrive, and reach the shop at once if something is wrong.",
    points: [
      "The latest place and the whole way of every parcel",
      "When it arrives, told ahead when it will be late",
      "A reminder to fetch and freeze what waits in a locker",
    ],
    signIn: "Sign in with your phone",
    signInWeixin: "Sign in",
    why: "Signing in only serves to find your orders.",
    expired: "You were signed out after a while. Please sign in again",
    shopPhone: (phone) => `The shop's phone: ${phone}`,
  },

  finding: {
    title: "Find an order",
    label: "Order or waybill number",
    hint: "The text of an SMS or a label will do",
    act: "Find",
    scan: "Scan the bar code of a label",
    missing: "Please enter or paste an order or waybill number",
    noNumber: "There is no order or waybill number in this. Please check it",
    nothingScanned: "No bar code was read. Try again, or type the number",
    several: (count) => (count === 1 ? "1 order found" : `${count} orders found`),
    none: (number) => `${number} was not found`,
    noneHint:
      "Please check the number. If it was ordered with a phone number, bind that number first; if it still isn't there, contact the shop.",
    bind: "Bind the phone",
    guest: "Sign in to find your own orders",
    where:
      "The order number is in the confirmation and in our messages; the waybill number is under the bar code of the parcel's label.",
  },
};
