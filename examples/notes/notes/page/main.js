// The page: what it shows is what its address says, so that every view has a link and the back button works.

import * as api from "./api.js";
import { find, tell } from "./dom.js";
import * as editor from "./editor.js";
import * as index from "./index.js";

const search = find("#search input");

/** What the address says: the search, the tag, the page of the list, and the note that is open: a number, or "new". */
function view() {
  const query = new URLSearchParams(location.search);
  return Object.fromEntries(["q", "tag", "page", "note"].map((name) => [name, query.get(name) ?? ""]));
}

function address(changes) {
  const query = Object.entries({ ...view(), ...changes }).filter(([, value]) => value);
  return query.length ? `/?${new URLSearchParams(query)}` : "/";
}

async function show() {
  const { note, ...query } = view();
  document.body.classList.toggle("has-note", note !== "");
  if (search.value !== query.q) search.value = query.q;
  await Promise.all([index.show(query, note), editor.show(note)]).catch(tell);
}

async function go(changes, { replace = false } = {}) {
  if ("note" in changes && changes.note !== view().note && !editor.mayLeave()) return;
  history[replace ? "replaceState" : "pushState"](null, "", address(changes));
  await show();
}

index.connect({ go, address });
editor.connect({ go, changed: () => index.show(view(), view().note, { again: true }).catch(tell) });

const isNarrow = matchMedia("(width < 48rem)"); // where the list and the note take turns
let typing;
search.addEventListener("input", () => {
  clearTimeout(typing);
  const changes = { q: search.value, page: "", ...(isNarrow.matches && { note: "" }) };
  typing = setTimeout(() => go(changes, { replace: true }), 150);
});
find("#search").addEventListener("submit", (event) => event.preventDefault());
find("#new").addEventListener("click", () => go({ note: "new" }));
find("#back").addEventListener("click", () => go({ note: "" }));
addEventListener("popstate", () => {
  if (view().note === editor.id() || editor.mayLeave()) show();
  else history.forward();
});
addEventListener("beforeunload", (event) => editor.isDirty() && event.preventDefault());
addEventListener("keydown", (event) => {
  if (event.key === "s" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    find("#editor").requestSubmit();
  } else if (event.key === "/" && !event.target.matches("input, textarea")) {
    event.preventDefault();
    search.focus();
  }
});

await show();
document.body.dataset.ready = "";
