"use strict";

// The form of a message template: words are inserted where the cursor was, and the preview follows what is typed.
(() => {
  const rows = document.querySelector("[data-field-rows]");
  const preview = document.querySelector("[data-preview]");
  if (!rows || !preview) { return; }
  const form = rows.closest("form");
  let last = null;
  let waiting = 0;
  let asked = 0;

  const show = async () => {
    const mine = ++asked;
    try {
      const answer = await fetch(preview.dataset.preview, { method: "POST", body: new FormData(form), credentials: "same-origin" });
      if (answer.ok && mine === asked) { preview.innerHTML = await answer.text(); }
    } catch {
      // Offline for a moment: the last preview stays.
    }
  };
  const soon = () => { clearTimeout(waiting); waiting = setTimeout(show, 300); };

  form.addEventListener("input", soon);
  form.addEventListener("change", soon);
  rows.addEventListener("focusin", (event) => {
    if (event.target.name && event.target.name.endsWith("_text")) { last = event.target; }
  });
  rows.addEventListener("click", (event) => {
    const word = event.target.dataset.word;
    if (word) {
      const input = last || [...rows.querySelectorAll("input[name$=_text]")].find((one) => !one.value);
      if (!input) { return; }
      input.setRangeText(word, input.selectionStart, input.selectionEnd, "end");
      input.focus();
      soon();
    } else if ("addRow" in event.target.dataset) {
      const all = rows.querySelectorAll(".field-row");
      const fresh = all[all.length - 1].cloneNode(true);
      for (const input of fresh.querySelectorAll("input")) { input.value = ""; }
      all[all.length - 1].after(fresh);
      fresh.querySelector("input").focus();
    }
  });
})();
