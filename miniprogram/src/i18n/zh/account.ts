import type { CodeProblem, PhoneProblem } from "@/domain/mobile";
import type { Wait } from "@/domain/waiting";

const phoneProblems: Record<PhoneProblem, string> = {
  missing: "请输入手机号",
  short: "手机号不足 11 位，请检查",
  long: "手机号超过 11 位，请检查",
  not_mobile: "请填写中国大陆的手机号",
};

const codeProblems: Record<CodeProblem, string> = {
  missing: "请输入短信验证码",
  not_six: "验证码是 6 位数字",
};

const UNITS = { seconds: "秒", minutes: "分钟", hours: "小时" };

/** By the code that the server gives it; what it adds later is shown under the server's own name. */
const topics: Record<string, string> = {};

export const account = {
  signIn: {
    title: "登录",
    bindTitle: "绑定手机号",
    what: "用收到订单短信的手机号登录，就能看到它名下的订单。",
    bindWhat: "绑定后，用这个手机号下的订单也会显示在您的订单里。",
    phone: "手机号",
    phoneHint: "11 位手机号",
    code: "短信验证码",
    codeHint: "6 位数字",
    send: "获取验证码",
    sendAgain: "重新获取",
    sendIn: ({ unit, count }: Wait): string => `${count} ${UNITS[unit]}后可重发`,
    sent: (phone: string): string => `验证码已发送到 ${phone}，5 分钟内有效`,
    submit: "登录",
    bindSubmit: "绑定",
    done: "已登录",
    bound: (phone: string): string => `已绑定 ${phone}`,
    wrongCode: "验证码不对或已过期，请检查或重新获取",
    askFirst: "请先获取验证码",
    wait: ({ unit, count }: Wait): string => `操作太频繁，请 ${count} ${UNITS[unit]}后再试`,
    phoneProblems,
    codeProblems,
    weixinPhone: "用微信手机号绑定",
    orTyped: "或者输入手机号",
    agree: "继续即表示您已阅读",
    privacy: "隐私说明",
  },

  consent: {
    title: "使用前请阅读隐私指引",
    text: "为了找到您的订单，需要您的手机号；复制运单号时会用到剪贴板。不同意也可以继续浏览。",
    guide: (name: string): string => name || "《用户隐私保护指引》",
    agree: "同意并继续",
    refuse: "不同意",
  },

  me: {
    title: "我的",
    phone: "手机号",
    noPhone: "未绑定",
    bind: "绑定",
    change: "更换",
    unknownPhone: "已登录",
    verifyAgain: (phone: string): string => `${phone}（验证已过期）`,
    guest: "未登录",
    signIn: "登录",
    find: "查找订单",
    scanOrFind: "扫码或查单",
    notifications: "通知",
    notificationsHint: "关掉的内容不会再通知您。微信通知还需要您在订单页同意接收。",
    notificationsGuest: "登录后可以选择接收哪些通知。",
    notificationsFailed: (why: string): string => `通知设置没有加载出来：${why}`,
    saveFailed: "没有保存成功，已恢复原来的设置",
    topics,
    language: "语言",
    chinese: "中文",
    english: "English",
    largeText: "大字",
    largeTextHint: "文字和按钮放大",
    display: "显示",
    help: "帮助",
    privacy: "隐私说明",
    version: "版本",
    signOut: "退出登录",
    signOutQuestion: "退出后，这台设备上保存的订单内容会一并清除。确定退出吗？",
    signOutYes: "退出",
    signedOut: "已退出登录",
  },

  privacy: {
    title: "隐私说明",
    intro: (shop: string): string =>
      `本程序由${shop ? `“${shop}”` : "商家"}提供，用来查看您的冻品订单和物流。这里说明会用到您的哪些信息、为什么、保存在哪里。`,
    items: [
      {
        name: "微信身份标识（openid）",
        why: "在微信里打开时由微信提供，用来认出您、找到您下的订单。不含您的昵称、头像和微信号。",
      },
      {
        name: "手机号",
        why: "只有您点按钮授权或自己输入时才会用到：登录（浏览器里）、找到用这个手机号下的订单、在您没有关闭时发送短信。保存在商家的服务器上，加密存放，界面上只显示前三位和后四位。",
      },
      {
        name: "订单信息",
        why: "商品、金额、收件人姓名、电话、地址，来自您下单的商城，用来发货和显示物流。页面上姓名、电话和地址都打码显示。电话号码后四位会按承运商的要求用于查询物流。",
      },
      {
        name: "剪贴板",
        why: "只在您点“复制”时写入订单号、运单号。不会读取剪贴板里的内容。",
      },
      { name: "相机", why: "只在您点“扫码”时使用，用来读取面单上的条码。照片不会保存，也不会上传。" },
      {
        name: "订阅消息的选择",
        why: "您同意或拒绝接收哪些通知，用来决定发不发、发哪些。",
      },
      {
        name: "操作记录",
        why: "访问时间、网络地址和出错信息，用来防止盗用和排查故障，定期删除。",
      },
    ],
    onPhoneTitle: "保存在这台设备上的内容",
    onPhone:
      "登录凭证（7 天内有效）、最近看过的订单（没有网络时也能看，最长 30 天）、打码后的手机号，以及语言和字号的选择。退出登录时，与您有关的内容全部清除。",
    sharedTitle: "会提供给谁",
    shared:
      "承运商和物流查询服务商（运单号，以及承运商要求的电话后四位）、短信服务商（手机号和短信内容）、微信（发货信息和订阅消息）。不会用于广告，也不会出售。",
    keptTitle: "保存多久",
    kept: "保存期限是实现上述目的所必要的最短时间，以及法律要求的时间。",
    rightsTitle: "您的权利",
    rights:
      "您可以查看、更正、删除自己的信息，或撤回同意：请联系商家，我们会在 15 个工作日内处理。不绑定手机号也可以在微信里查看您下的订单。",
    guide: "查看微信的隐私保护指引",
  },
};
