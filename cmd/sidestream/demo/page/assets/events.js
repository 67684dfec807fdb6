import { clock, follow, parse, setState, show } from "./stream.js";

const STREAM = "/events/demo";
const TOTAL = 30; // events until the server ends the stream
const LOG = 60; // lines that the log keeps

// SHOW puts each type's data where it belongs.
const SHOW = {
  coinToss(data) {
    show("coin", data === "heads" ? "H" : "T");
    show("coinToss", data);
    turn("coin");
  },
  dieRoll(data) {
    document.getElementById("die").dataset.pips = data;
    show("dieRoll", data);
    turn("die");
  },
  catFact(data) {
    show("catFact", data);
  },
  meme(data) {
    const meme = parse(data);
    show("meme-top", meme?.top ?? data);
    show("meme-face", meme?.face ?? "");
    show("meme-bottom", meme?.bottom ?? "");
  },
};

// watchEvents shows the stream of four types, with its two buttons.
export function watchEvents(visit, inspector) {
  const stop = document.getElementById("stop");
  const start = document.getElementById("start");
  const die = document.getElementById("die");
  for (let pip = 0; pip < 9; pip++) {
    die.append(document.createElement("i"));
  }
  let source = null;
  let opened = 0; // streams so far
  let count = 0;
  let ended = false; // by the server

  inspector.name(STREAM);
  stop.addEventListener("click", () => {
    source.close();
    setState("events-state", "ended", "stopped");
    log("note", "closed by the button");
    running(false);
  });
  start.addEventListener("click", open);
  open();

  function open() {
    opened++;
    count = 0;
    ended = false;
    progress();
    setState("events-state", "wait", "connecting");
    running(true);
    source = follow(`${STREAM}?visit=${visit}.${opened}`, Object.keys(SHOW), {
      open: () => setState("events-state", "live", "live"),
      event: receive,
      lost() {
        if (!ended) {
          setState("events-state", "wait", "reconnecting");
        }
      },
      closed() {
        setState("events-state", "ended", "ended");
        log("note", ended ? "the reconnect was answered 204" : "the server refused the stream");
        running(false);
      },
    });
  }

  function receive(event) {
    inspector.add(STREAM, event);
    log(event.type, event.data);
    if (Object.hasOwn(SHOW, event.type)) {
      SHOW[event.type](event.data);
      count++;
      progress();
    } else if (event.type === "stream.end") {
      ended = true;
      setState("events-state", "ended", "ended by the server");
    }
  }

  function progress() {
    show("count", `${count} of ${TOTAL}`);
    document.getElementById("progress").value = count;
  }

  // running says which button is of use, and keeps the focus on one that is.
  function running(yes) {
    const [from, to] = yes ? [start, stop] : [stop, start];
    to.disabled = false;
    if (document.activeElement === from) {
      to.focus();
    }
    from.disabled = true;
  }
}

function log(type, text) {
  const line = document.createElement("li");
  for (const [name, content] of [["time", clock()], ["type", type], ["text", text]]) {
    const part = document.createElement("span");
    part.className = name;
    part.textContent = content;
    line.append(part);
  }
  const list = document.getElementById("log");
  list.prepend(line);
  while (list.children.length > LOG) {
    list.lastChild.remove();
  }
}

function turn(id) {
  const element = document.getElementById(id);
  element.classList.remove("turn");
  void element.offsetWidth;
  element.classList.add("turn");
}
