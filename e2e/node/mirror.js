// Follows a stream of emit: patch, and tells of each document that it leads
// to. It runs in browsers and in Node.js.
export function mirror(EventSource, applyPatch, url, tell) {
  let doc;
  const source = new EventSource(url);
  const on = (type, change) =>
    source.addEventListener(type, (e) => {
      const told = { kind: type, id: e.lastEventId, document: "", error: "" };
      try {
        doc = change(JSON.parse(e.data));
        told.document = JSON.stringify(doc);
      } catch (error) {
        told.error = String(error);
      }
      tell(told);
    });
  on("snapshot", (state) => state);
  // With validation: a patch that doesn't fit is an error.
  on("patch", (patch) => applyPatch(doc, patch, true).newDocument);
  source.addEventListener("open", () => tell({ kind: "open", id: "", document: "", error: "" }));
}
