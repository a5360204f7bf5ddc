/** The words of the pages. A word is text, or a function of what it speaks about, so that a missing or wrong one
 * doesn't compile; there is no language of placeholders to learn. */
import { computed, type ComputedRef } from "vue";
import { settings } from "@/stores/settings";
import { en } from "./en";
import { zh, type Messages } from "./zh";

export type { Messages } from "./zh";
export type Language = "zh" | "en";

const ALL: Record<Language, Messages> = { zh, en };

export const words: ComputedRef<Messages> = computed(() => ALL[settings.language]);
