/** The buyers' API, one function per call. */
import { call } from "./client";
import { ApiError } from "./errors";
import { callOpenly } from "./repeating";
import { signIn, signInByPhone, signOut } from "./sign-in";
import type * as T from "./types";

export { ApiError } from "./errors";

export interface OrderFilter {
  status?: T.OrderStatus;
  /** An order number or a waybill number. */
  q?: string;
  /** Dates in Shanghai, inclusive, YYYY-MM-DD. */
  from?: string;
  to?: string;
  cursor?: string;
  limit?: number;
}

const ORDER_NO = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** What can be no order number isn't asked for: `counts` or `..` would be another address. Throws ApiError. */
function orderPath(orderNo: string, ...act: string[]): string[] {
  if (ORDER_NO.test(orderNo) && !["counts", "statuses"].includes(orderNo)) return ["orders", orderNo, ...act];
  throw new ApiError("order_not_found", "");
}

export const api = {
  orders: (filter: OrderFilter) =>
    call<T.OrderPage>({ method: "GET", path: ["orders"], query: { ...filter } }),
  counts: () => call<T.Counts>({ method: "GET", path: ["orders", "counts"] }),
  order: async (orderNo: string) => call<T.OrderDocument>({ method: "GET", path: orderPath(orderNo) }),
  statuses: (orderNos: string[]) =>
    call<T.Statuses>({
      method: "POST",
      path: ["orders", "statuses"],
      body: { order_nos: orderNos },
      repeatable: true,
    }),
  refresh: async (orderNo: string) =>
    call<T.Refreshed>({ method: "POST", path: orderPath(orderNo, "refresh") }),
  confirm: async (orderNo: string) =>
    call<T.OrderDocument>({ method: "POST", path: orderPath(orderNo, "confirm"), repeatable: true }),
  wechat: async (orderNo: string) =>
    call<T.WechatComponents>({ method: "GET", path: orderPath(orderNo, "wechat") }),

  advice: (orderNo?: string) =>
    call<T.Advised>({ method: "GET", path: ["subscriptions", "advice"], query: { order_no: orderNo } }),
  /** `grantId` names the dialog: told twice, it counts once. */
  grant: (grants: T.Grant[], grantId: string) =>
    call<T.Balances>({
      method: "POST",
      path: ["subscriptions"],
      body: { grants, grant_id: grantId },
      repeatable: true,
    }),
  me: () => call<T.Me>({ method: "GET", path: ["me"] }),
  optOuts: () => call<T.OptOuts>({ method: "GET", path: ["me", "notifications"] }),
  setOptOuts: (topics: string[]) =>
    call<T.OptOuts>({
      method: "PUT",
      path: ["me", "notifications"],
      body: { opt_outs: topics },
      repeatable: true,
    }),

  shop: () => callOpenly<T.Shop>({ method: "GET", path: ["shop"] }),
  sendSmsCode: (phone: string) =>
    callOpenly<T.SmsCodeSent>({ method: "POST", path: ["auth", "sms-code"], body: { phone } }),
  signIn,
  signInByPhone,
  signOut,
  /** `given` is the code of WeChat's phone button, or a typed phone with its SMS code. */
  bindPhone: (given: { code: string } | { phone: string; sms_code: string }) =>
    call<{ phone: string }>({ method: "POST", path: ["auth", "phone"], body: given }),
};
