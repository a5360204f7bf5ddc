// A check under way: look again after a while, as long as the page is looked at.
"use strict";
document.querySelectorAll("[data-reload-after]").forEach((place) => {
  window.setInterval(() => {
    if (!document.hidden) window.location.reload();
  }, Number(place.dataset.reloadAfter) * 1000);
});
