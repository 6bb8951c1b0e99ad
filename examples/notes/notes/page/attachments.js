// The files of a note.

import * as api from "./api.js";
import { bytes, element, find, tell } from "./dom.js";

const section = find("#attachments");
const files = section.querySelector("ul");
const zone = section.querySelector("label");
const input = section.querySelector("input");
const PATIENCE_MS = [200, 400, 800, 1600];

let note = null;
let parent;

export function connect(given) {
  parent = given;
  input.addEventListener("change", async () => {
    await upload([...input.files]);
    input.value = "";
  });
  for (const name of ["dragenter", "dragover"]) zone.addEventListener(name, (event) => drag(event, true));
  for (const name of ["dragleave", "drop"]) zone.addEventListener(name, (event) => drag(event, false));
  zone.addEventListener("drop", (event) => upload([...event.dataTransfer.files]));
}

export function show(shown) {
  note = shown;
  section.hidden = !note;
  files.replaceChildren(...(note?.attachments ?? []).map(entry));
}

function drag(event, isOver) {
  event.preventDefault();
  zone.classList.toggle("over", isOver);
}

async function upload(chosen) {
  const into = note;
  for (const file of chosen) {
    const bar = element("progress", { value: 0, max: 1, aria: { label: `Upload of ${file.name}` } });
    const row = element("li", {}, element("span", {}, file.name), bar);
    if (note === into) files.append(row);
    try {
      into.attachments.push(...(await api.attach(into.id, file, (done) => (bar.value = done))));
    } catch (problem) {
      tell(problem);
    }
    row.remove();
    if (note === into) show(into);
  }
  parent.changed();
  await wait(into);
}

/** What is in a file is read when its upload was answered: asks a few times whether it was. */
async function wait(into) {
  for (const pause_ms of PATIENCE_MS) {
    if (into.attachments.every((file) => file.is_searchable !== null)) return;
    await new Promise((done) => setTimeout(done, pause_ms));
    const { attachments } = await api.open(into.id).catch(() => into);
    into.attachments = attachments;
    if (note === into) show(into);
  }
}

const HINTS = new Map([[null, "being read"], [true, "found by the search"], [false, ""]]);

function entry(file) {
  const link = element("a", { href: `/api/attachments/${file.id}`, download: file.name }, file.name);
  const facts = [bytes(file.size_bytes), HINTS.get(file.is_searchable)].filter(Boolean).join(", ");
  const remove = element("button", { type: "button", aria: { label: `Remove ${file.name}` } }, "Remove");
  remove.addEventListener("click", async () => {
    const from = note;
    try {
      await api.detach(file.id);
      from.attachments = from.attachments.filter((other) => other !== file);
      if (note === from) show(from);
      parent.changed();
    } catch (problem) {
      tell(problem);
    }
  });
  return element("li", {}, link, element("small", {}, facts), remove);
}
