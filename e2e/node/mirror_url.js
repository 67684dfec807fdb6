// Prints the documents that a stream of emit: patch leads to, a line of JSON
// for each event: node mirror_url.js URL
import { EventSource } from "eventsource";
import jsonpatch from "fast-json-patch";
import { mirror } from "./mirror.js";

mirror(EventSource, jsonpatch.applyPatch, process.argv[2], (told) => console.log(JSON.stringify(told)));

// The package lets a process end while it waits to reconnect.
setInterval(() => {}, 1_000_000);
