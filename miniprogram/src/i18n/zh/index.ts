import { account } from "./account";
import { common } from "./common";
import { order } from "./order";
import { orders } from "./orders";

/** The same shape with other text. */
type Worded<T> = T extends (...given: infer G) => string
  ? (...given: G) => string
  : T extends string
    ? string
    : { [K in keyof T]: Worded<T[K]> };

export const zh = { common, orders, order, account };
export type Messages = Worded<typeof zh>;
