import type { Messages } from "../zh";
import { account } from "./account";
import { common } from "./common";
import { order } from "./order";
import { orders } from "./orders";

export const en: Messages = { common, orders, order, account };
