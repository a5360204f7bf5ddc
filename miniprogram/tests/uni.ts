/** A `uni` for tests of pure logic: storage in memory; what else a test needs it sets itself. */
import { beforeEach } from "vitest";

export const storage = new Map<string, unknown>();

Object.assign(globalThis, {
  uni: {
    getStorageSync: (key: string) => storage.get(key) ?? "",
    setStorageSync: (key: string, value: unknown) => void storage.set(key, structuredClone(value)),
    removeStorageSync: (key: string) => void storage.delete(key),
    clearStorageSync: () => storage.clear(),
    getStorageInfoSync: () => ({ keys: [...storage.keys()] }),
    getLocale: () => "zh-Hans",
  },
});

beforeEach(() => storage.clear());
