/** In a browser: a window that stayed open while the pages were built anew asks for parts that are gone. Then it begins
 * anew itself; where the build is the same, or can't be asked for, the page's own offer to try again is what helps. */
export function followBuild(): void {
  window.addEventListener("vite:preloadError", () => void renew());
}

async function renew(): Promise<void> {
  const entry = document.querySelector("script[type=module][src]")?.getAttribute("src");
  try {
    const page = await fetch(location.pathname, { cache: "no-store" });
    // The new page names another entry: it can't lead here again.
    if (entry && page.ok && !(await page.text()).includes(entry)) location.reload();
  } catch {
    // No network: nothing is known.
  }
}
