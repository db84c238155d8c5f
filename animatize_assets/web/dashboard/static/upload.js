// Uploads images one after the other, then starts the pipeline over those that were taken.
// What may cost money is quoted, and started by a person.

const POLL_MS = 1_000;
const MOST_FAILURES = 5;

const drop = document.getElementById("drop");
const files = document.getElementById("files");
const provider = document.getElementById("provider-of-run");
const uploads = document.getElementById("uploads");
const run = document.getElementById("run");
const told = document.getElementById("run-told");
const progress = document.getElementById("run-progress");
const start = document.getElementById("run-start");

let waiting = [];
let taken = [];
let isSending = false;

/** Add a line to the list of uploads. */
function lineOf(file) {
  const line = document.createElement("li");
  line.className = "card";
  const name = document.createElement("p");
  name.textContent = file.name;
  const bar = document.createElement("progress");
  bar.max = 1;
  bar.value = 0;
  bar.setAttribute("aria-label", `Upload of ${file.name}`);
  const outcome = document.createElement("p");
  outcome.setAttribute("role", "status");
  line.append(name, bar, outcome);
  uploads.append(line);
  return { name, bar, outcome };
}

/** Send one file; fetch() cannot tell how far an upload is. */
function send(file, bar) {
  return new Promise((resolve, reject) => {
    const body = new FormData();
    body.append("file", file);
    const request = new XMLHttpRequest();
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) {
        bar.value = event.loaded / event.total;
      }
    });
    request.addEventListener("load", () => {
      const said = JSON.parse(request.responseText);
      request.status < 300 ? resolve(said) : reject(new Error(said.detail));
    });
    request.addEventListener("error", () => reject(new Error("The service cannot be reached.")));
    request.open("POST", "/api/images");
    request.send(body);
  });
}

async function upload(file) {
  const { name, bar, outcome } = lineOf(file);
  try {
    const said = await send(file, bar);
    bar.value = 1;
    taken.push(said.image_key);
    const link = document.createElement("a");
    link.href = `/images/${encodeURIComponent(said.image_key)}`;
    link.textContent = file.name;
    name.replaceChildren(link);
    outcome.textContent = said.status === "duplicate" ? "It was here already." : "Taken.";
  } catch (error) {
    bar.remove();
    outcome.className = "problem";
    outcome.textContent = error.message;
  }
}

async function post(address, body) {
  const answer = await fetch(address, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const said = await answer.json();
  if (!answer.ok) {
    throw new Error(said.detail);
  }
  return said;
}

function when(instant) {
  return new Date(instant).toLocaleTimeString();
}

function show(batch) {
  progress.hidden = false;
  if (batch.progress === null) {
    progress.removeAttribute("value");
  } else {
    progress.value = 100 * batch.progress;
  }
  const failed = Object.entries(batch.failed_images);
  let said = `The run is ${batch.status}.`;
  if (batch.finishing_at !== null) {
    said += ` Done at about ${when(batch.finishing_at)}`;
    if (batch.finishing_interval_80 !== null) {
      const [early, late] = batch.finishing_interval_80;
      said += `; 8 in 10 such runs end between ${when(early)} and ${when(late)}`;
    }
    said += ".";
  }
  for (const [key, why] of failed) {
    said += ` ${key}: ${why}`;
  }
  for (const problem of batch.problems) {
    said += ` ${problem}`;
  }
  told.textContent = said;
}

/** Follow a run until it has ended. */
async function follow(batchId) {
  let failures = 0;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    try {
      const answer = await fetch(`/api/batches/${encodeURIComponent(batchId)}`);
      const batch = await answer.json();
      if (!answer.ok) {
        throw new Error(batch.detail);
      }
      failures = 0;
      show(batch);
      if (!["queued", "running"].includes(batch.status)) {
        return;
      }
    } catch (error) {
      failures += 1;
      if (failures === MOST_FAILURES) {
        told.textContent = `How far the run is cannot be told: ${error.message}`;
        return;
      }
    }
  }
}

async function begin() {
  start.hidden = true;
  const keys = taken;
  taken = [];
  try {
    const batch = await post("/api/batches", { image_keys: keys, provider: provider.value });
    show(batch);
    await follow(batch.batch_id);
  } catch (error) {
    told.textContent = error.message;
    taken = [...keys, ...taken];
    start.hidden = false;
  }
}

function money(usd) {
  return `$${usd.toFixed(2)}`;
}

/** Say what the pictures would cost, and let a person start. */
async function offer() {
  try {
    const quote = await post("/api/images/quote", {
      image_keys: taken,
      provider: provider.value,
    });
    told.textContent =
      quote.expected_usd === null
        ? quote.why_unknown
        : `${quote.pictures} pictures by ${provider.value} would cost about ` +
          `${money(quote.expected_usd)} (9 in 10: ${money(quote.low_usd)} to ` +
          `${money(quote.high_usd)}).`;
  } catch (error) {
    told.textContent = error.message;
  }
  start.hidden = false;
}

async function take(chosen) {
  waiting.push(...chosen);
  if (isSending) {
    return;
  }
  isSending = true;
  while (waiting.length > 0) {
    await upload(waiting.shift());
  }
  isSending = false;
  if (taken.length > 0) {
    run.hidden = false;
    await (provider.value === "local" ? begin() : offer());
  }
}

files.addEventListener("change", () => {
  take([...files.files]);
  files.value = "";
});
provider.addEventListener("change", () => {
  if (taken.length > 0 && !isSending) {
    offer();
  }
});
start.addEventListener("click", begin);
for (const name of ["dragenter", "dragover"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const name of ["dragleave", "drop"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.remove("over");
  });
}
drop.addEventListener("drop", (event) => take([...event.dataTransfer.files]));
