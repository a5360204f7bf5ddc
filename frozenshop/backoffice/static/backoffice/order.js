"use strict";

// Keys that lead to the parts of an order's page. None acts while somebody types or holds another key down.
(() => {
  const parts = document.querySelector("[data-parts]");
  if (!parts) {
    return;
  }
  const days = () => [...document.querySelectorAll("details.day")];
  const toggle = parts.querySelector("[data-toggle-days]");

  const openAll = (open) => {
    for (const day of days()) {
      day.open = open;
    }
  };

  const go = (link) => {
    const part = document.getElementById(link.hash.slice(1));
    if (part) {
      window.history.replaceState(null, "", link.hash);
      part.scrollIntoView({ block: "start" });
      part.focus({ preventScroll: true });
    }
  };

  const isTyping = (element) => element.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(element.tagName);

  const flip = () => openAll(days().some((day) => !day.open));

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || isTyping(event.target)) {
      return;
    }
    const link = /^[0-9]$/.test(event.key) && parts.querySelector(`a[data-key="${event.key}"]`);
    if (link) {
      event.preventDefault();
      go(link);
    } else if (event.key === "e") {
      flip();
    } else if (event.key === "p") {
      window.print();
    }
  });

  parts.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-key]");
    if (link) {
      event.preventDefault();
      go(link);
    } else if (event.target.closest("[data-toggle-days]") === toggle) {
      flip();
    } else if (event.target.closest("[data-print]")) {
      window.print();
    }
  });

  // On paper nothing is folded; afterwards all is as it was.
  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = days().filter((day) => !day.open);
    openAll(true);
  });
  window.addEventListener("afterprint", () => {
    for (const day of folded) {
      day.open = false;
    }
  });
})();
