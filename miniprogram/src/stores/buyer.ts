/** Whether somebody is signed in, for pages that show it. `whose` changes when the buyer does: what a page holds of
 * the former one is then to be thrown away (`watch(() => buyer.whose, reset)`). */
import { reactive } from "vue";
import * as sessions from "@/api/session";

const state = () => ({ signedIn: sessions.session() !== null, whose: sessions.whose() });

export const buyer = reactive(state());

sessions.watch(() => Object.assign(buyer, state()));
