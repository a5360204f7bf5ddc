/** Small things that a tap does on the phone, told to the buyer where they leave no trace. */
import { words } from "@/i18n";

export function tell(title: string): void {
  if (title) void uni.showToast({ title, icon: "none", duration: 2500 });
}

/** Dial; what comes of it is the phone's. */
export function call(phone: string): void {
  uni.makePhoneCall({ phoneNumber: phone, fail: () => undefined });
}

export function copy(text: string): void {
  uni.setClipboardData({
    data: text,
    showToast: false,
    success: () => tell(words.value.common.copied),
    fail: () => tell(words.value.common.trouble.other),
  });
}

/** Ask before something that can't be taken back. */
export function ask(asked: { title: string; content: string; yes: string; no: string }): Promise<boolean> {
  return new Promise((answered) =>
    uni.showModal({
      title: asked.title,
      content: asked.content,
      confirmText: asked.yes,
      cancelText: asked.no,
      success: ({ confirm }) => answered(confirm),
      fail: () => answered(false),
    }),
  );
}
