import { clock, follow } from "./stream.js";

const ROWS = 200; // that are kept
const SHORT = 60; // characters of data that are shown unasked, on one line
const BEGINNING = 160; // of longer data, which are shown as far as they fit
const CLOCK = "/events/clock";

// Inspector is the table of all events that the page receives.
export class Inspector {
  #rows = document.getElementById("inspector-rows");
  #filter = document.getElementById("filter");
  #paused = false;
  #waiting = []; // rows that came while paused
  #clock = null;

  constructor() {
    this.#filter.addEventListener("change", () => {
      for (const row of this.#rows.children) {
        this.#apply(row);
      }
    });
    const pause = document.getElementById("pause");
    pause.addEventListener("click", () => {
      this.#paused = !this.#paused;
      pause.setAttribute("aria-pressed", String(this.#paused));
      pause.textContent = this.#paused ? "Resume" : "Pause";
      this.#flush();
    });
    document.getElementById("clear").addEventListener("click", () => this.#rows.replaceChildren());
    const clockBox = document.getElementById("clock");
    clockBox.addEventListener("change", () => this.#follow(clockBox.checked));
    this.#follow(clockBox.checked);
  }

  // name makes a stream one that can be chosen.
  name(stream) {
    if (![...this.#filter.options].some((option) => option.value === stream)) {
      this.#filter.add(new Option(stream, stream));
    }
  }

  // add shows an event of a stream.
  add(stream, event) {
    this.#waiting.push(newRow(stream, event));
    if (this.#waiting.length > ROWS) {
      this.#waiting.shift();
    }
    this.#flush();
  }

  #flush() {
    if (this.#paused) {
      return;
    }
    for (const row of this.#waiting) {
      this.#apply(row);
      this.#rows.prepend(row);
    }
    this.#waiting = [];
    while (this.#rows.children.length > ROWS) {
      this.#rows.lastChild.remove();
    }
  }

  #apply(row) {
    row.hidden = this.#filter.value !== "" && this.#filter.value !== row.dataset.stream;
  }

  #follow(yes) {
    this.#clock?.close();
    this.#clock = null;
    if (yes) {
      this.name(CLOCK);
      this.#clock = follow(CLOCK, [], { event: (event) => this.add(CLOCK, event) });
    }
  }
}

function newRow(stream, event) {
  const row = document.createElement("tr");
  row.dataset.stream = stream;
  for (const text of [clock(), stream, event.type, event.lastEventId]) {
    const cell = document.createElement("td");
    cell.textContent = text;
    cell.title = text;
    row.append(cell);
  }
  const cell = document.createElement("td");
  cell.append(newData(event.data));
  row.append(cell);
  row.classList.toggle("control", event.type.startsWith("stream."));
  return row;
}

// newData shows data, or, if that is long, its beginning with the rest a key
// or click away.
function newData(data) {
  if (data.length <= SHORT) {
    return document.createTextNode(data);
  }
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = data.slice(0, BEGINNING);
  const all = document.createElement("pre");
  all.textContent = data;
  details.append(summary, all);
  return details;
}
