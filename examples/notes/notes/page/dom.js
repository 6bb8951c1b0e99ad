// Elements. What users wrote becomes text, never markup.

export const find = (selector) => document.querySelector(selector);

/** Makes an element: its properties, `data` and `aria` among them, and what is in it, elements or text. */
export function element(name, { data = {}, aria = {}, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  Object.assign(made.dataset, data);
  for (const [key, value] of Object.entries(aria)) made.setAttribute(`aria-${key}`, value);
  made.append(...children);
  return made;
}

/** A text in pieces, every second one marked. */
export const marked = (pieces) => pieces.map((text, n) => (n % 2 ? element("mark", {}, text) : text));

const UNITS = [["year", 31_536_000], ["month", 2_592_000], ["day", 86_400], ["hour", 3_600], ["minute", 60]];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** A time as people tell it. */
export function when(time) {
  const age_s = (Date.now() - new Date(time)) / 1000;
  const [unit, length_s] = UNITS.find(([, length_s]) => age_s >= length_s) ?? ["second", 1];
  const told = unit === "second" ? "just now" : relative.format(-Math.floor(age_s / length_s), unit);
  return element("time", { dateTime: time, title: new Date(time).toLocaleString() }, told);
}

export function bytes(count) {
  if (count < 1000) return `${count} bytes`;
  return count < 1e6 ? `${(count / 1e3).toFixed(1)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

/** Tells what went wrong, for a while. */
export function tell(problem) {
  const notice = find("#notice");
  notice.textContent = problem.message;
  notice.hidden = false;
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => (notice.hidden = true), 6000);
}
