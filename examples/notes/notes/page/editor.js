// One note: writing it, what is wrong with it, and what others made of it meanwhile.

import * as api from "./api.js";
import * as attachments from "./attachments.js";
import { find, tell, when } from "./dom.js";

const form = find("#editor");
const fields = form.elements;
const said = form.querySelector("output");
const conflict = find("#conflict");
const FIELDS = ["title", "tags", "body"];

let note = null; // as the service has it; without an id it is new
let theirs = null; // as somebody else left it
let shown = ""; // a note's number, "new", or nothing
let parent;

export function connect(given) {
  parent = given;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save();
  });
  form.addEventListener("input", () => (said.textContent = isDirty() ? "Not saved yet" : ""));
  find("#remove").addEventListener("click", remove);
  find("#theirs").addEventListener("click", () => fill(theirs));
  find("#mine").addEventListener("click", () => {
    note = theirs;
    save();
  });
  attachments.connect({ changed: parent.changed });
}

export async function show(id) {
  const before = shown;
  shown = id;
  form.hidden = !id;
  find("#nothing").hidden = id !== "";
  if (!id) {
    note = null;
    attachments.show(null);
    document.title = "Notes";
  } else if (id === "new") {
    if (before === id) return;
    fill({ title: "", body: "", tags: [], attachments: [] });
    fields.title.focus();
  } else if (String(note?.id) !== id) {
    note = null;
    form.hidden = true;
    attachments.show(null);
    const opened = await api.open(id);
    if (shown !== id) return; // another note has overtaken this one
    fill(opened);
    form.hidden = false;
  }
}

export function isDirty() {
  if (!note) return false;
  const { title, body, tags } = draft();
  return title !== note.title || body !== note.body.replaceAll("\r\n", "\n") || tags.join() !== note.tags.join();
}

export const id = () => shown;

export const mayLeave = () => !isDirty() || confirm("Leave this note without saving it?");

const draft = () => ({
  title: fields.title.value,
  body: fields.body.value,
  tags: fields.tags.value.split(",").map((tag) => tag.trim()).filter(Boolean),
});

function fill(given) {
  note = given;
  document.title = note.id ? `${note.title} · Notes` : "New note · Notes";
  fields.title.value = note.title;
  fields.body.value = note.body;
  fields.tags.value = note.tags.join(", ");
  find("#remove").hidden = !note.id;
  complain([]);
  contest(null);
  said.replaceChildren(...(note.id ? [`Version ${note.version}, `, when(note.updated_at)] : []));
  attachments.show(note.id ? note : null);
}

async function save() {
  try {
    const wasNew = !note.id;
    fill(wasNew ? await api.create(draft()) : await api.change(note.id, note.version, draft()));
    said.prepend("Saved. ");
    if (wasNew) await parent.go({ note: String(note.id) }, { replace: true });
    await parent.changed();
  } catch (problem) {
    if (problem.status === 412) contest(problem.current);
    else if (problem.errors?.length) complain(problem.errors);
    else tell(problem);
  }
}

async function remove() {
  if (!confirm(`Delete “${note.title}”?`)) return;
  try {
    await api.remove(note.id, note.version);
    note = null;
    await parent.go({ note: "" });
    await parent.changed();
  } catch (problem) {
    if (problem.status === 412) contest(problem.current);
    else tell(problem);
  }
}

/** Shows each error next to the field it is about: the first name of its JSON Pointer. */
function complain(errors) {
  for (const name of FIELDS) {
    const wrong = errors.filter((error) => error.pointer?.split("/")[1] === name);
    find(`#${name}-error`).textContent = wrong.map((error) => error.detail).join(" ");
    fields[name].ariaInvalid = wrong.length ? "true" : null;
  }
  form.querySelector("[aria-invalid]")?.focus();
}

/** Shows the note as it is now beside the one that could not be saved. */
function contest(current) {
  theirs = current;
  conflict.hidden = !current;
  if (!current) return;
  conflict.querySelector("h3").textContent = current.title;
  conflict.querySelector("blockquote p").textContent = current.body;
  conflict.querySelector("small").replaceChildren(`Version ${current.version}, `, when(current.updated_at));
  conflict.scrollIntoView({ block: "nearest" });
}
