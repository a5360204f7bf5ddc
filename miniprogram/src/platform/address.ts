/** In a browser: show the page of an address that was typed or pasted over the present one. Our own steps carry a
 * state; without one uni-app would leave the former page under the new address. */
export function followAddress(): void {
  window.addEventListener("popstate", ({ state }) => {
    if (state === null) location.reload();
  });
}
