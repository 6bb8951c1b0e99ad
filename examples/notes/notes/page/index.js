// The list of notes: search, tags and pages.

import * as api from "./api.js";
import { element, find, marked, when } from "./dom.js";

const items = find("#items");
const pager = find("#pager");
let page;
let shown; // what was asked for last
let parent;

export function connect(given) {
  parent = given;
  for (const step of pager.querySelectorAll("button")) {
    step.addEventListener("click", () => parent.go({ page: String(page + Number(step.dataset.step)) }));
  }
}

/** Shows the part of the list that is asked for, unless it is there already. */
export async function show({ q, tag, page: number }, note, { again = false } = {}) {
  const asked = JSON.stringify([q, tag, number]);
  if (again || asked !== shown) {
    shown = asked;
    const [listed, tags] = await Promise.all([api.list({ q, tag, page: number || 1 }), api.tags()]);
    if (asked !== shown) return; // another question has overtaken this one
    fill(listed, tags, q, tag);
  }
  for (const link of items.querySelectorAll("a")) choose(link, link.dataset.note === note);
}

function fill(listed, tags, q, tag) {
  page = listed.page;
  find("#tags").replaceChildren(...Object.entries(tags).slice(0, 12).map(([name, notes]) => chip(name, notes, name === tag)));
  find("#total").textContent = told(listed.total, q, tag);
  items.replaceChildren(...listed.items.map(entry));
  pager.hidden = listed.pages < 2;
  const [back, on] = pager.querySelectorAll("button");
  back.disabled = page <= 1;
  on.disabled = page >= listed.pages;
  pager.querySelector("span").textContent = `Page ${page} of ${listed.pages}`;
}

const choose = (link, isChosen) => (link.ariaCurrent = isChosen ? "true" : null);

function told(total, q, tag) {
  const notes = total === 1 ? "1 note" : `${total || "No"} notes`;
  return [notes, q && `for “${q}”`, tag && `tagged ${tag}`].filter(Boolean).join(" ");
}

function chip(name, notes, isChosen) {
  const link = element("a", { href: parent.address({ tag: isChosen ? "" : name, page: "" }) }, name, element("small", {}, ` ${notes}`));
  choose(link, isChosen);
  follow(link, { tag: isChosen ? "" : name, page: "" });
  return element("li", {}, link);
}

function entry(item) {
  const facts = element("p", { className: "facts" }, when(item.updated_at));
  if (item.attachments) facts.append(` · ${item.attachments === 1 ? "1 file" : `${item.attachments} files`}`);
  if (item.tags.length) facts.append(` · ${item.tags.join(", ")}`);
  const link = element(
    "a",
    { href: parent.address({ note: item.id }), data: { note: item.id } },
    element("h2", {}, ...marked(item.title)),
    element("p", {}, ...marked(item.excerpt)),
    facts,
  );
  follow(link, { note: String(item.id) });
  return element("li", {}, link);
}

function follow(link, changes) {
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a new tab or window is the browser's
    event.preventDefault();
    parent.go(changes);
  });
}
