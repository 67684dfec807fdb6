// Follows streams with a client from npm, and prints what it hears, a line of
// JSON for each event: node follow.js CLIENT TYPE,TYPE... NAME=URL...
import { EventSource } from "eventsource";
import EventSource2 from "eventsource-2";
import { EventSource as UndiciEventSource } from "undici";
import { listen } from "./listen.js";

const CLIENTS = { eventsource: EventSource, "eventsource-2": EventSource2, undici: UndiciEventSource };

const [client, types, ...streams] = process.argv.slice(2);
for (const pair of streams) {
  const [, stream, url] = pair.match(/^([^=]+)=(.*)$/s);
  listen(new CLIENTS[client](url), types.split(","), (heard) => console.log(JSON.stringify({ stream, ...heard })));
}

// The packages let a process end while they wait to reconnect.
setInterval(() => {}, 1_000_000);
