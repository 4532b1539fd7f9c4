"use strict";
// Shows only the matches from the chosen cameras, and a note where a query has none left.
const boxes = [...document.querySelectorAll("input[data-camera]")];
function filter() {
  const chosen = new Set(boxes.filter((box) => box.checked).map((box) => box.dataset.camera));
  for (const list of document.querySelectorAll(".matches")) {
    let shown = 0;
    for (const match of list.querySelectorAll("figure[data-camera]")) {
      match.hidden = !chosen.has(match.dataset.camera);
      shown += match.hidden ? 0 : 1;
    }
    list.querySelector(".none").hidden = shown > 0;
  }
}
for (const box of boxes) box.addEventListener("change", filter);
// Browsers keep check boxes over a reload, so apply them at once.
if (boxes.length) filter();
