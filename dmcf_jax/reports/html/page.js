"use strict";
// Shows the matches of the chosen cameras only, and says so where a query has none left.
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
// A browser may remember ticks from before a reload.
if (boxes.length) filter();
