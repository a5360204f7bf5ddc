"use strict";

// Watch a batch under way: ask how far it is, show it, and show the whole page anew when it has ended.
(() => {
  const panel = document.getElementById("batch-progress");
  if (!panel || !("watched" in panel.dataset)) {
    return;
  }
  const bar = panel.querySelector("progress");
  const told = document.getElementById("batch-told");
  const QUICK = 1500, SLOW = 15000;
  let wait = QUICK;

  const show = (now) => {
    bar.value = now.percent;
    told.textContent = `${now.percent}% · 完成 ${now.done} · 未处理 ${now.refused} · 共 ${now.total}`;
  };

  const ask = async () => {
    try {
      const answer = await fetch(panel.dataset.url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
      if (!answer.ok || answer.redirected) {
        throw new Error(answer.status);
      }
      const now = await answer.json();
      wait = QUICK;
      show(now);
      if (now.ended || now.state !== panel.dataset.state) {
        window.location.reload();
        return;
      }
    } catch {
      wait = Math.min(wait * 2, SLOW);
    }
    window.setTimeout(ask, document.hidden ? SLOW : wait);
  };

  window.setTimeout(ask, QUICK);
})();
