import { patched } from "./patch.js";
import { clock, follow, parse, setState, show } from "./stream.js";

const STREAM = "/api/orders";
const RENEW = 30_000; // milliseconds between two words to the application that this page is open

const dollars = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" });

// COLUMNS say what stands in the cells of an order's row.
const COLUMNS = [
  (order) => String(order.id),
  (order) => String(order.item),
  (order) => String(order.destination),
  (order) => String(order.status),
  (order) => dollars.format(order.cents / 100),
];
const STATUS = 3;
const AMOUNT = 4;

// watchOrders keeps the table of orders up to date.
export function watchOrders(visit, inspector) {
  const rows = new Map(); // by the order's id
  let announced = 0; // when the application was last told of this page
  let known; // the application's document

  inspector.name(STREAM);
  follow(STREAM, ["snapshot", "patch"], {
    open() {
      setState("orders-state", "live", "live");
      announce();
    },
    lost: () => setState("orders-state", "wait", "reconnecting"),
    closed: () => setState("orders-state", "ended", "closed"),
    event(event) {
      inspector.add(STREAM, event);
      switch (event.type) {
        case "snapshot":
          update((known = parse(event.data)));
          break;
        case "patch":
          update((known = patched(known, parse(event.data))));
          break;
        case "stream.stale":
          setState("orders-state", "stale", `stale: ${parse(event.data)?.reason ?? "upstream failed"}`);
          break;
        case "stream.fresh":
          setState("orders-state", "live", "live");
          break;
      }
    },
  });
  addEventListener("pagehide", () => navigator.sendBeacon(`/api/viewers/${visit}/left`));
  document.getElementById("outage").addEventListener("click", () => post("/api/outage"));

  function announce() {
    announced = Date.now();
    post(`/api/viewers/${visit}`); // if it fails, it is said again soon
  }

  function update(document) {
    if (!Array.isArray(document?.orders)) {
      return;
    }
    if (Date.now() - announced > RENEW) {
      announce();
    }
    count("polls", document.polls, "poll");
    count("viewers", document.viewers, "viewer");
    show("orders-time", clock());
    draw(document.orders);
  }

  function draw(orders) {
    const first = rows.size === 0;
    const body = document.getElementById("orders-rows");
    const gone = new Set(rows.keys());
    orders.forEach((order, place) => {
      gone.delete(order.id);
      let row = rows.get(order.id);
      if (!row) {
        row = newRow();
        rows.set(order.id, row);
        if (!first) {
          flash(row);
        }
      }
      fill(row, order);
      if (body.children[place] !== row) {
        body.insertBefore(row, body.children[place] ?? null);
      }
    });
    for (const id of gone) {
      rows.get(id).remove();
      rows.delete(id);
    }
  }
}

function post(url) {
  fetch(url, { method: "POST" }).catch(() => {});
}

function count(id, n, unit) {
  show(id, n);
  show(`${id}-unit`, n === 1 ? unit : `${unit}s`);
}

function newRow() {
  const row = document.createElement("tr");
  for (const column of COLUMNS.keys()) {
    const cell = document.createElement(column === 0 ? "th" : "td");
    if (column === 0) {
      cell.scope = "row";
    }
    cell.classList.toggle("number", column === AMOUNT);
    const text = document.createElement("span");
    text.classList.toggle("badge", column === STATUS);
    cell.append(text);
    row.append(cell);
  }
  return row;
}

function fill(row, order) {
  COLUMNS.forEach((content, column) => {
    const cell = row.children[column];
    const text = cell.firstChild;
    const now = content(order);
    if (text.textContent === now) {
      return;
    }
    if (text.textContent !== "") {
      flash(cell);
    }
    text.textContent = now;
    if (column === STATUS) {
      text.dataset.status = now;
    }
  });
}

// flash starts the element's animation, again if it is under way.
function flash(element) {
  element.classList.remove("flash");
  void element.offsetWidth;
  element.classList.add("flash");
}
