// Prints what the npm package's EventSource hears, a line of JSON for each
// event: node listen.js URL [TYPE...]
import { EventSource } from "eventsource";

const [url, ...types] = process.argv.slice(2);
const source = new EventSource(url);
for (const type of ["open", "error", "message", ...types]) {
  source.addEventListener(type, (e) => {
    const heard = { kind: e.type, data: e.data ?? "", id: e.lastEventId ?? "", state: source.readyState };
    console.log(JSON.stringify(heard));
  });
}

// The package lets a process end while it waits to reconnect.
setInterval(() => {}, 1_000_000);
