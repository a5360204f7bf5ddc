"use strict";

// "Tick all" boxes, and a question before what can't be taken back.
document.addEventListener("change", (event) => {
  const name = event.target.dataset.checkAll;
  if (name) {
    for (const box of event.target.form.querySelectorAll(`input[type=checkbox][name=${name}]`)) {
      box.checked = event.target.checked;
    }
  }
});

document.addEventListener("submit", (event) => {
  const question = event.submitter && event.submitter.dataset.confirm;
  if (question && !window.confirm(question)) {
    event.preventDefault();
  }
});
