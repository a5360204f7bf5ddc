import type { Messages } from "../zh";

const SHORT = { seconds: "s", minutes: "min", hours: "h" };
const UNITS = { seconds: ["second", "seconds"], minutes: ["minute", "minutes"], hours: ["hour", "hours"] };

export const account: Messages["account"] = {
  signIn: {
    title: "Sign in",
    bindTitle: "Bind your phone",
    what: "Sign in with the phone that gets our messages to see the orders placed with it.",
    bindWhat: "Once it is bound, orders placed with this phone are among yours, too.",
    phone: "Mobile phone",
    phoneHint: "11 digits",
    code: "Code from the SMS",
    codeHint: "6 digits",
    send: "Send code",
    sendAgain: "Send again",
    sendIn: ({ unit, count }) => `Again in ${count} ${SHORT[unit]}`,
    sent: (phone) => `A code was sent to ${phone}. It is good for 5 minutes`,
    submit: "Sign in",
    bindSubmit: "Bind",
    done: "Signed in",
    bound: (phone) => `${phone} is bound`,
    wrongCode: "The code is wrong or too old. Check it, or ask for a new one",
    askFirst: "Please ask for a code first",
    wait: ({ unit, count }) =>
      `Too many requests. Please try again in ${count} ${UNITS[unit][count === 1 ? 0 : 1]}`,
    phoneProblems: {
      missing: "Please enter your mobile phone number",
      short: "The number has fewer than 11 digits",
      long: "The number has more than 11 digits",
      not_mobile: "Please enter a mobile number of mainland China",
    },
    codeProblems: {
      missing: "Please enter the code from the SMS",
      not_six: "The code has 6 digits",
    },
    weixinPhone: "Use the phone of WeChat",
    orTyped: "Or type a phone number",
    agree: "By going on you have read the",
    privacy: "privacy notice",
  },

  consent: {
    title: "Please read the privacy guide first",
    text: "To find your orders we need your phone number; copying a waybill uses the clipboard. You may look around without agreeing.",
    guide: (name) => name || "The privacy guide",
    agree: "Agree and go on",
    refuse: "Don't agree",
  },

  me: {
    title: "Me",
    phone: "Phone",
    noPhone: "Not bound",
    bind: "Bind",
    change: "Change",
    unknownPhone: "Signed in",
    verifyAgain: (phone) => `${phone} (to be verified again)`,
    guest: "Not signed in",
    signIn: "Sign in",
    find: "Find an order",
    scanOrFind: "Scan or find an order",
    notifications: "Messages",
    notificationsHint:
      "What is switched off isn't sent to you any more. Messages by WeChat also need your consent on the order's page.",
    notificationsGuest: "Sign in to choose which messages you get.",
    notificationsFailed: (why) => `The choices could not be loaded: ${why}`,
    saveFailed: "It could not be saved and is as it was before",
    topics: {
      sms: "Text messages (SMS)",
      paid: "Paid",
      shipped: "Shipped",
      out_for_delivery: "Out for delivery",
      arriving: "Arriving soon",
      locker_waiting: "Ready for pickup",
      locker_reminder: "Pickup reminder",
      delayed: "Delayed",
      recovered: "Back on schedule",
      exception: "Problem on the way",
      delivered: "Delivered",
      returned: "Returned",
      cancelled: "Cancelled",
      refunded: "Refunded",
    },
    language: "Language",
    chinese: "中文",
    english: "English",
    largeText: "Large text",
    largeTextHint: "Larger text and buttons",
    display: "Display",
    help: "Help",
    privacy: "Privacy notice",
    version: "Version",
    signOut: "Sign out",
    signOutQuestion: "The orders kept on this device will be removed. Sign out?",
    signOutYes: "Sign out",
    signedOut: "Signed out",
  },

  privacy: {
    title: "Privacy notice",
    intro: (shop) =>
      `${shop ? `“${shop}”` : "The shop"} offers this program so that you can follow your orders of frozen goods. Here is what of yours it uses, why, and where it is kept.`,
    items: [
      {
        name: "WeChat identity (openid)",
        why: "Given by WeChat when opened there, to know you and find your orders. It holds no nickname, picture or WeChat number.",
      },
      {
        name: "Phone number",
        why: "Only when you tap the button or type it: to sign in (in a browser), to find orders placed with it, and to send text messages unless you switched them off. Kept encrypted on the shop's server; pages show the first three and last four digits only.",
      },
      {
        name: "Orders",
        why: "Goods, amounts, and the consignee's name, phone and address, from the shop where you ordered, to ship and to show where parcels are. Name, phone and address are masked on the pages. Carriers that demand it are given the last four digits of the phone.",
      },
      {
        name: "Clipboard",
        why: "Written to when you tap “Copy”: an order or waybill number. It is never read.",
      },
      {
        name: "Camera",
        why: "Only when you tap “Scan”, to read the bar code of a label. No picture is kept or sent.",
      },
      { name: "Message choices", why: "Which messages you agreed to or refused, to know what to send." },
      {
        name: "Log of use",
        why: "Time, network address and errors, to prevent misuse and find faults; deleted regularly.",
      },
    ],
    onPhoneTitle: "What is kept on this device",
    onPhone:
      "The sign-in (good for 7 days), the orders you saw last (to be read without network, 30 days at most), the masked phone number, and your choice of language and text size. What is yours is removed when you sign out.",
    sharedTitle: "Who is told",
    shared:
      "Carriers and tracking services (the waybill number, and the last four digits of the phone where carriers demand it), SMS services (phone and text), WeChat (shipping details and messages). Never for advertising, never sold.",
    keptTitle: "How long",
    kept: "As short as these purposes allow, and as long as the law demands.",
    rightsTitle: "Your rights",
    rights:
      "You may see, correct or delete your data, or withdraw your consent: contact the shop, it is done within 15 working days. In WeChat you see your own orders without binding a phone.",
    guide: "Show WeChat's privacy guide",
  },
};
