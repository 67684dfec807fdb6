// The events that Sidestream itself sends.
const CONTROL = ["stream.gap", "stream.stale", "stream.fresh", "stream.live", "stream.end"];

// follow opens the stream at url and calls on.event for each event of the
// given types, of none ("message"), and of Sidestream's own. on.open is called
// on each connect, on.lost when the connection is lost and the browser will
// try again, and on.closed when it will not. It returns the EventSource.
export function follow(url, types, on) {
  const source = new EventSource(url);
  for (const type of new Set(["message", ...types, ...CONTROL])) {
    source.addEventListener(type, on.event);
  }
  source.addEventListener("open", () => on.open?.());
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) {
      on.closed?.();
    } else {
      on.lost?.();
    }
  });
  return source;
}

// parse returns the value of some JSON, or null if it isn't any.
export function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

// clock returns the time of day, as in 15:04:05.
export function clock() {
  return new Date().toLocaleTimeString("en-GB");
}

// show puts text in the element with an id. Text is all that it can become.
export function show(id, text) {
  document.getElementById(id).textContent = text;
}

// setState shows the state of a stream: "live", "wait", "stale" or "ended",
// which sets the colour, and what to say about it.
export function setState(id, state, text) {
  const element = document.getElementById(id);
  element.dataset.state = state;
  if (element.textContent !== text) {
    element.textContent = text;
  }
}
