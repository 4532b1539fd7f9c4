"use strict";
// Names from the gallery are only ever set as text, never as markup.
const find = (id) => document.getElementById(id);
let picture = null;

async function ask(path, options = {}) {
  const response = await fetch(path, { ...options, headers: { "x-dmcf": "1" } });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

function say(text, wrong = false) {
  find("said").textContent = text;
  find("said").className = wrong ? "wrong-word" : "";
}

function element(kind, text = "", name = "") {
  const made = document.createElement(kind);
  made.textContent = text;
  made.className = name;
  return made;
}

async function introduce() {
  const about = await ask("about");
  find("about").textContent = `${about.pictures} pictures. Model: ${about.model}.`;
  find("threshold").hidden = !about.threshold;
  if (about.threshold) {
    find("threshold").textContent =
      `Matches are marked as accepted by ${about.threshold.basis}. ` +
      "A threshold does not carry over to other cameras.";
  }
  find("adding").hidden = !about.can_add;
  document.body.dataset.explains = about.can_explain;
  const known = new Map(
    [...find("cameras").querySelectorAll("input")].map((box) => [box.value, box.checked]));
  find("cameras").replaceChildren(find("cameras").firstElementChild);
  for (const camera of about.cameras.length > 1 ? about.cameras : []) {
    const label = element("label"), box = document.createElement("input");
    box.type = "checkbox";
    box.value = camera;
    box.checked = known.get(camera) ?? true;
    label.append(box, ` ${camera || "unknown"}`);
    find("cameras").append(label);
  }
  find("cameras").hidden = about.cameras.length < 2;
}

function take(file) {
  if (!file) return;
  picture = file;
  URL.revokeObjectURL(find("query").src);
  find("query").src = URL.createObjectURL(file);
  find("query").hidden = false;
  find("hint").hidden = true;
  search();
}

function filters() {
  const asked = new URLSearchParams({ modality: modality(), top: find("top").value });
  const boxes = [...find("cameras").querySelectorAll("input")];
  if (boxes.some((box) => !box.checked)) {
    const chosen = boxes.filter((box) => box.checked);
    if (!chosen.length) throw new Error("Choose at least one camera.");
    for (const box of chosen) asked.append("camera", box.value);
  }
  for (const name of ["since", "until"]) {
    const time = new Date(find(name).value).getTime() / 1000;
    if (!Number.isNaN(time)) asked.append(name, time);
  }
  return asked;
}

function modality() {
  return document.querySelector("input[name=modality]:checked").value;
}

async function search() {
  if (!picture) return say("Choose a picture first.", true);
  say("Searching ...");
  find("search").disabled = true;
  try {
    const found = await ask(`search?${filters()}`, { method: "POST", body: picture });
    const kind = modality(), sent = picture;
    find("matches").replaceChildren(...found.matches.map((match) => show(match, sent, kind)));
    say(summary(found));
  } catch (error) {
    find("matches").replaceChildren();
    say(error.message, true);
  } finally {
    find("search").disabled = false;
  }
}

function summary(found) {
  if (!found.matches.length) return "No picture passes the filters.";
  if (found.accepted === undefined) return `${found.matches.length} matches, best first.`;
  if (!found.accepted) return "Nobody: no match reaches the threshold.";
  return `${found.accepted} of ${found.matches.length} matches are accepted.`;
}

function show(match, sent, kind) {
  const figure = element("figure", "", match.accepted ? "accepted" : "");
  const image = document.createElement("img");
  image.src = `picture/${match.row}`;
  image.alt = match.path;
  const caption = element("figcaption");
  caption.append(element("b", `${match.rank}`), ` ${match.score.toFixed(3)}`);
  if (match.accepted) caption.append(element("b", " ✓", "right sign"));
  const time = match.time === null ? "" : new Date(match.time * 1000).toLocaleString();
  const lines = [match.identity && `id ${match.identity}`, match.camera, match.modality, time];
  for (const line of lines.filter(Boolean)) caption.append(element("br"), line);
  caption.append(element("span", match.path, "path"));
  if (document.body.dataset.explains === "true") {
    const why = element("button", "Why?");
    why.addEventListener("click", () => explain(match, sent, kind));
    caption.append(why);
  }
  figure.append(image, caption);
  return figure;
}

async function explain(match, sent, kind) {
  try {
    const asked = new URLSearchParams({ modality: kind, row: match.row });
    const found = await ask(`explain?${asked}`, { method: "POST", body: sent });
    find("levels").replaceChildren(...found.levels.map(level));
    find("why").showModal();
  } catch (error) {
    say(error.message, true);
  }
}

function level(one) {
  const shown = element("div"), pair = element("div", "", "pair");
  for (const [index, hex] of one.pictures.entries()) {
    const bytes = Uint8Array.from(hex.match(/../g), (byte) => parseInt(byte, 16));
    const image = document.createElement("img");
    image.src = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
    image.alt = ["query", "match"][index];
    pair.append(image);
  }
  const share = `${one.share >= 0 ? "+" : ""}${one.share.toFixed(3)}`;
  shown.append(pair, element("p", `${one.name}: ${share} of the score`, "soft"));
  return shown;
}

async function add() {
  if (!picture) return say("Choose a picture first.", true);
  const asked = new URLSearchParams({
    modality: modality(), identity: find("identity").value, camera: find("camera").value,
  });
  try {
    const { row } = await ask(`add?${asked}`, { method: "POST", body: picture });
    await introduce();
    say(`Added as picture ${row}.`);
  } catch (error) {
    say(error.message, true);
  }
}

find("file").addEventListener("change", (event) => take(event.target.files[0]));
find("form").addEventListener("submit", (event) => { event.preventDefault(); search(); });
find("add").addEventListener("click", add);
find("close").addEventListener("click", () => find("why").close());
for (const name of ["dragover", "dragleave", "drop"]) {
  find("drop").addEventListener(name, (event) => {
    event.preventDefault();
    find("drop").classList.toggle("over", name === "dragover");
    if (name === "drop") take(event.dataTransfer.files[0]);
  });
}
introduce().catch((error) => say(error.message, true));
