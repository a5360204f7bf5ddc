/** The phone's storage, which may be full, broken or forbidden: what can't be kept is asked for again.
 *
 * What belongs to a buyer is stored under `buyersOwn(name)`, and only there: it all goes when he signs out.
 */
const BUYERS = "buyer:";

export function buyersOwn(name: string): string {
  return `${BUYERS}${name}`;
}

export function stored<T>(key: string): T | null {
  try {
    const value: unknown = uni.getStorageSync(key);
    return value === "" || value === undefined ? null : (value as T);
  } catch {
    return null;
  }
}

/** Whether it was kept. */
export function store(key: string, value: unknown): boolean {
  try {
    uni.setStorageSync(key, value);
    return true;
  } catch {
    return false;
  }
}

export function unstore(key: string): void {
  try {
    uni.removeStorageSync(key);
  } catch {
    // Emptied at least, where it can't be removed.
    store(key, "");
  }
}

/** Remove everything of the buyer; where that can't be told apart, everything. */
export function unstoreBuyers(): void {
  try {
    for (const key of uni.getStorageInfoSync().keys) if (key.startsWith(BUYERS)) unstore(key);
  } catch {
    try {
      uni.clearStorageSync();
    } catch {
      // Nothing can be read from it either.
    }
  }
}
