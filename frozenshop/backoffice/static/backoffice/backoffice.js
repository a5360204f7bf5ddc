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

// What is shown this once, into the clipboard; where the browser refuses, it is selected for the person to copy.
document.addEventListener("click", (event) => {
  if (event.target.dataset.copy === "previous") {
    const shown = event.target.previousElementSibling;
    shown.select();
    const copied = () => { event.target.textContent = shown.dataset.copied; };
    if (navigator.clipboard) {
      navigator.clipboard.writeText(shown.value).then(copied, () => {});
    } else if (document.execCommand("copy")) {
      copied();
    }
  }
});

// Each cell of a list knows its column, so that on a phone its row can be a card; what is empty is left out there.
for (const list of document.querySelectorAll("#result_list, table.stacks")) {
  const heads = [...list.tHead.rows[0].cells].map((head) => head.textContent.trim());
  for (const cell of list.querySelectorAll("tbody td")) {
    const head = heads[cell.cellIndex];
    if (head && cell.colSpan === 1 && !cell.classList.contains("action-checkbox")) {
      cell.dataset.head = head;
    }
    cell.classList.toggle("nothing", ["", "—", "-"].includes(cell.textContent.trim()) && !cell.querySelector("img, input"));
  }
  list.classList.add("stacked-rows");
}
