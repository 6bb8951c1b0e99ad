// The service, as the page sees it.

/** What the service refused: an answer of application/problem+json (RFC 9457). */
export class Problem extends Error {
  constructor(status, told) {
    super(told.detail ?? told.title ?? `The service answered ${status}.`);
    Object.assign(this, { status, errors: told.errors ?? [], current: told.current });
  }
}

async function send(method, path, { json, version } = {}) {
  const headers = {};
  if (json) headers["content-type"] = "application/json";
  if (version) headers["if-match"] = `"${version}"`;
  let response;
  try {
    response = await fetch(path, { method, headers, body: json && JSON.stringify(json) });
  } catch {
    throw new Problem(0, { detail: "The service cannot be reached." });
  }
  if (response.status === 204) return null;
  const told = await response.json();
  if (!response.ok) throw new Problem(response.status, told);
  return told;
}

export const list = (query) => send("GET", `/api/notes?${new URLSearchParams(query)}`);
export const tags = () => send("GET", "/api/notes/tags");
export const open = (id) => send("GET", `/api/notes/${id}`);
export const create = (draft) => send("POST", "/api/notes", { json: draft });
export const change = (id, version, draft) => send("PUT", `/api/notes/${id}`, { json: draft, version });
export const remove = (id, version) => send("DELETE", `/api/notes/${id}`, { version });
export const detach = (id) => send("DELETE", `/api/attachments/${id}`);

/** Uploads a file. `fetch` tells no progress, so this is an XMLHttpRequest. */
export function attach(id, file, progress) {
  const form = new FormData();
  form.append("file", file);
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/notes/${id}/attachments`);
    request.responseType = "json";
    request.upload.onprogress = (event) => progress(event.loaded / event.total);
    request.onload = () => {
      if (request.status === 201) done(request.response);
      else failed(new Problem(request.status, request.response ?? {}));
    };
    request.onerror = () => failed(new Problem(0, { detail: `${file.name} could not be uploaded.` }));
    request.send(form);
  });
}
