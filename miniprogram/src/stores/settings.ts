/** The buyer's choices of this phone: language, size of text. Dark mode follows the phone. */
import { reactive, watch } from "vue";
import { store, stored } from "@/api/storage";

const KEY = "settings";

interface Settings {
  language: "zh" | "en";
  largeText: boolean;
}

function firstLanguage(): Settings["language"] {
  return (uni.getLocale?.() ?? "zh").startsWith("en") ? "en" : "zh";
}

/** What was chosen before, as far as it can be understood. */
function chosenBefore(): Settings {
  const { language, largeText } = stored<Partial<Settings>>(KEY) ?? {};
  return {
    language: language === "zh" || language === "en" ? language : firstLanguage(),
    largeText: largeText === true,
  };
}

export const settings = reactive<Settings>(chosenBefore());

watch(settings, (chosen) => void store(KEY, { ...chosen }));
