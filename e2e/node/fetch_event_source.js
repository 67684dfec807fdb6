// What a page has to do so that @microsoft/fetch-event-source comes back as
// EventSource does.
import { EventStreamContentType, fetchEventSource } from "@microsoft/fetch-event-source";

class Over extends Error {}

// follow calls onmessage for each event until the server says, by a status
// that isn't 200, that there is no more.
export function follow(url, onmessage) {
  return fetchEventSource(url, {
    openWhenHidden: true,
    onmessage,
    async onopen(response) {
      if (response.status !== 200 || !response.headers.get("content-type")?.startsWith(EventStreamContentType)) {
        throw new Over(`status ${response.status}`);
      }
    },
    onclose() {
      throw new Error("the server has closed the connection"); // which onerror lets it open again
    },
    onerror(error) {
      if (error instanceof Over) {
        throw error; // and stay away
      }
    },
  });
}
