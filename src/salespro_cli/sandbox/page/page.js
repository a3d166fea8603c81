"use strict";
const byId = (id) => document.getElementById(id);
const main = document.querySelector("main");

// Text is set as text and never as HTML: names of files come from anywhere.
function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

// Uploads

// One after another: the sandbox holds each in memory.
let queue = Promise.resolve();

function upload(files) {
  const folder = byId("dry-run").checked ? "dryrun/" : "";
  for (const file of files) {
    const item = element("li", "", `${folder}${file.name} `);
    const state = element("span", "quiet", "waiting");
    item.append(state);
    byId("uploads").prepend(item);
    queue = queue
      .then(() => send(file, folder, state))
      .catch((error) => end(state, "failed", `not uploaded: ${error.message}`))
      .then(refresh);
  }
}

function end(state, className, text) {
  state.className = className;
  state.textContent = text;
}

// A promise, or nothing if the file is not sent.
function send(file, folder, state) {
  if (!/\.csv(\.gz)?$/i.test(file.name)) {
    return end(state, "failed", "not uploaded: the function imports only .csv and .csv.gz");
  }
  if (file.size > Number(main.dataset.maxBytes)) {
    return end(state, "failed", "not uploaded: too large for this page. Use salespro import");
  }
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    const progress = element("progress", "", "");
    progress.max = file.size || 1;
    progress.setAttribute("aria-label", `Upload of ${file.name}`);
    state.replaceChildren("uploading", progress);
    request.upload.onprogress = (event) => { progress.value = event.loaded; };
    request.onload = () => {
      if (request.status === 200) end(state, "ok", "uploaded");
      else end(state, "failed", `not uploaded: ${request.responseText.trim() || request.status}`);
    };
    request.onerror = () => end(state, "failed", "not uploaded: is it a folder, or has the sandbox ended?");
    request.onloadend = resolve;
    request.open("PUT", `/${main.dataset.bucket}/${folder}${encodeURIComponent(file.name)}`);
    request.setRequestHeader("Content-Type", "text/csv");
    request.send(file);
  });
}

byId("files").addEventListener("change", (event) => {
  upload([...event.target.files]);
  event.target.value = ""; // so that the same file can be chosen again
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  upload([...event.dataTransfer.files]);
});

// Imports

const COLOURS = { completed: "ok", "dry run": "ok", running: "running", interrupted: "warning" };
let shown = "";

function importItem(entry) {
  const item = element("li", "card", "");
  let colour = COLOURS[entry.status] || "failed";
  if (entry.rejected && colour === "ok") colour = "warning";
  item.append(element("p", `status ${colour}`, entry.status), element("h3", "", entry.file));
  if (entry.rows) item.append(element("p", "", entry.rows));
  if (entry.error) item.append(element("p", "error", entry.error));
  const took = entry.seconds === null ? "" : `, ${entry.seconds.toFixed(2)} s`;
  const details = element("p", "quiet", new Date(entry.started).toLocaleString() + took);
  item.append(details);
  if (entry.report) {
    const link = element("a", "", "Report");
    link.append(element("span", "visually-hidden", ` of ${entry.file}`));
    link.href = entry.report;
    link.target = "_blank";
    link.rel = "noopener";
    details.append(" · ", link);
  }
  return item;
}

async function refresh() {
  let problem = "";
  try {
    const answer = await fetch("_sandbox/imports");
    const text = await answer.text();
    if (!answer.ok) problem = text;
    else if (text !== shown) show(text);
  } catch {
    problem = "The sandbox does not answer: it has ended.";
  }
  // Only a change, or a screen reader would say it every second.
  if (byId("problem").textContent !== problem) byId("problem").textContent = problem;
  byId("problem").hidden = !problem;
}

function show(text) {
  shown = text;
  const entries = JSON.parse(text);
  const focused = document.activeElement.href;
  byId("empty").hidden = entries.length > 0;
  byId("imports").replaceChildren(...entries.map(importItem));
  // The focus stays on the link that had it.
  if (focused) [...document.links].find((link) => link.href === focused)?.focus();
}

async function follow() {
  await refresh();
  setTimeout(follow, 1000);
}
follow();
