// Keeps a page up to date: an event says what is new, and the page asks for that part again.
// Where no events come through, it asks every 30 seconds.

const REFRESH_MS = 30_000;

/** What takes long to compute is asked for once. */
const DUE = '[data-live]:not([data-live="once"]), [data-live="once"][aria-busy]';

const main = document.getElementById("content");
const connection = document.getElementById("connection");
const announcements = document.getElementById("announcements");
const alarms = document.getElementById("alarms");
let seen = null;
let timer = null;
let isBusy = false;
let isWanted = false;

/** What the server said of each part last: what is the same is left alone, so a clip plays on. */
const received = new WeakMap();

/** Replace a part by what the server says of it now; what has the focus keeps it. */
async function refresh(part) {
  const address = part.dataset.src ?? location.href;
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  if (answer.redirected && new URL(answer.url).pathname === "/sign-in") {
    location.assign("/sign-in");
    return;
  }
  if (!answer.ok) {
    throw new Error(`${answer.status}`);
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById(part.id);
  if (fresh === null) {
    throw new Error("The answer has no such part.");
  }
  if (fresh.innerHTML === received.get(part)) {
    return;
  }
  received.set(part, fresh.innerHTML);
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  part.replaceChildren(...fresh.childNodes);
  part.removeAttribute("aria-busy");
  if (focused !== "") {
    document.getElementById(focused)?.focus();
  }
}

async function refreshAll() {
  if (isBusy) {
    isWanted = true; // something came while the last answer was on its way
    return;
  }
  isBusy = true;
  do {
    isWanted = false;
    for (const part of document.querySelectorAll(DUE)) {
      try {
        await refresh(part);
        connection.textContent = "";
      } catch {
        part.removeAttribute("aria-busy");
        connection.textContent = "These figures may be old: the service does not answer.";
      }
    }
  } while (isWanted);
  isBusy = false;
}

function fallBack() {
  timer ??= setInterval(refreshAll, REFRESH_MS);
}

function onChange(event) {
  const now = JSON.parse(event.data);
  clearInterval(timer);
  timer = null;
  connection.textContent = "";
  const view = main.dataset.view;
  if (seen !== null && now[view] !== seen[view]) {
    refreshAll();
  }
  if (seen !== null && now.alert !== null && now.alert.id > (seen.alert?.id ?? 0)) {
    alarms.textContent = `New alert: ${now.alert.message}`;
  }
  seen = now;
}

async function resolve(button) {
  button.disabled = true;
  try {
    const id = encodeURIComponent(button.dataset.resolve);
    const answer = await fetch(`/api/anime/performance/alerts/${id}/resolve`, { method: "POST" });
    if (!answer.ok) {
      throw new Error((await answer.json()).detail);
    }
    announcements.textContent = "The alert is resolved.";
    await refreshAll();
    main.focus();
  } catch (error) {
    button.disabled = false;
    alarms.textContent = `The alert could not be resolved: ${error.message}`;
  }
}

main.addEventListener("click", (event) => {
  const button = event.target.closest("[data-resolve]");
  if (button !== null) {
    resolve(button);
  }
});

for (const part of document.querySelectorAll("[data-live]")) {
  received.set(part, part.innerHTML);
}
if (document.querySelector("[data-live]") !== null) {
  if (document.querySelector("[data-live][aria-busy]") !== null) {
    refreshAll();
  }
  const events = new EventSource("/events");
  events.addEventListener("changed", onChange);
  events.addEventListener("error", fallBack);
  addEventListener("pagehide", () => events.close());
}
