// listen tells of all that a source, which has the interface of EventSource,
// dispatches: what has no type by onmessage, and what has one of these types.
export function listen(source, types, tell) {
  const hear = (kind) => (e) => tell({ kind, data: e.data ?? "", id: e.lastEventId ?? "", state: source.readyState });
  source.onmessage = hear("message");
  for (const type of ["open", "error", ...types]) {
    source.addEventListener(type, hear(type));
  }
}
