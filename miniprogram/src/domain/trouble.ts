/** An error as a sentence for the buyer: the server's own words where it has some, ours where nothing came. */
import { ApiError } from "@/api/errors";
import { words } from "@/i18n";
import { settings } from "@/stores/settings";

export function troubleText(problem: unknown): string {
  const texts = words.value.common.trouble;
  if (!(problem instanceof ApiError)) return texts.other;
  const ours = (texts as Record<string, string>)[problem.code];
  // The server speaks Chinese.
  const theirs = settings.language === "zh" ? fieldText(problem) || problem.message : "";
  return theirs || ours || texts.other;
}

function fieldText(problem: ApiError): string {
  return Object.values(problem.details.fields ?? {}).join("；");
}
