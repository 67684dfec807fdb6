import { watchEvents } from "./events.js";
import { Inspector } from "./inspector.js";
import { watchOrders } from "./orders.js";

// A name for this visit, of no meaning elsewhere.
const visit = Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => b.toString(16).padStart(2, "0")).join("");

const inspector = new Inspector();
watchOrders(visit, inspector);
watchEvents(visit, inspector);
