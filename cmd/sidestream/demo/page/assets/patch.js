// patched applies a JSON Patch (RFC 6902) to a document and returns what
// comes of it. The document may be changed on the way. It knows the
// operations that Sidestream sends: add, remove, replace and move.
export function patched(document, patch) {
  const root = { document };
  for (const { op, path, from, value } of patch) {
    switch (op) {
      case "add":
        put(root, path, value, true);
        break;
      case "replace":
        put(root, path, value, false);
        break;
      case "remove":
        take(root, path);
        break;
      case "move":
        put(root, path, take(root, from), true);
        break;
      default:
        throw new Error(`unknown operation ${op}`);
    }
  }
  return root.document;
}

// place returns what holds the value that a pointer (RFC 6901) leads to, and
// its name there.
function place(root, pointer) {
  const names = ["document", ...pointer.split("/").slice(1).map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"))];
  const name = names.pop();
  return [names.reduce((at, step) => at[step], root), name];
}

function put(root, pointer, value, insert) {
  const [holder, name] = place(root, pointer);
  if (insert && Array.isArray(holder)) {
    holder.splice(name === "-" ? holder.length : Number(name), 0, value);
  } else {
    holder[name] = value;
  }
}

function take(root, pointer) {
  const [holder, name] = place(root, pointer);
  const value = holder[name];
  if (Array.isArray(holder)) {
    holder.splice(Number(name), 1);
  } else {
    delete holder[name];
  }
  return value;
}
