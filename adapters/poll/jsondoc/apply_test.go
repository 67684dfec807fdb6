package jsondoc

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
)

// differs are compared with in turn.
func differs(tb testing.TB) map[string]*Differ {
	tb.Helper()
	return map[string]*Differ{
		"by position": mustNew(tb, Options{MaxCells: 1}),
		"aligned":     mustNew(tb, Options{}),
		"by key":      mustNew(tb, Options{ArrayKeys: map[string]string{"": "id", "/*": "id", "/*/*": "id", "/*/*/*": "id", "/*/0/a": "a"}}),
	}
}

// applyPatch returns the canonical result of an RFC 6902 patch, applied by the
// letter of the RFC. evanphx/json-patch has to agree, but where a document is a
// scalar, which it refuses, or a name is empty, which it takes for none.
func applyPatch(tb testing.TB, doc, patch []byte) []byte {
	tb.Helper()
	var ops []operation
	peculiar := !isContainer(doc)
	if err := json.Unmarshal(patch, &ops); err != nil {
		tb.Fatalf("patch %s: got error %v", patch, err)
	}
	tree := decode(tb, doc)
	for _, o := range ops {
		for _, pointer := range []string{o.Path, o.From} {
			peculiar = peculiar || strings.Contains(pointer+"/", "//")
		}
		var err error
		if tree, err = o.apply(tree); err != nil {
			tb.Fatalf("patch of %s\nby %s: got error %v", doc, patch, err)
		}
	}
	result := encode(tb, tree)
	if peculiar || !isContainer(result) {
		return result
	}
	decoded, err := jsonpatch.DecodePatch(patch)
	if err != nil {
		tb.Fatalf("patch %s: got error %v", patch, err)
	}
	o := jsonpatch.NewApplyOptions()
	o.SupportNegativeIndices = false
	second, err := decoded.ApplyWithOptions(doc, o)
	if err != nil {
		tb.Fatalf("patch of %s\nby %s: got error %v", doc, patch, err)
	}
	if got := mustCanonical(tb, second); !bytes.Equal(got, result) {
		tb.Fatalf("patch of %s\nby %s: two libraries got\n%s\n%s", doc, patch, got, result)
	}
	return result
}

// applyMerge returns the canonical result of an RFC 7396 merge patch, applied
// by the letter of the RFC. evanphx/json-patch has to agree, but where there
// is a null that stays: it takes those out of arrays, too.
func applyMerge(tb testing.TB, doc, patch []byte) []byte {
	tb.Helper()
	result := encode(tb, mergeInto(decode(tb, doc), decode(tb, patch)))
	if !isContainer(doc) || !isContainer(patch) || bytes.Contains(result, []byte("null")) {
		return result
	}
	second, err := jsonpatch.MergePatch(doc, patch)
	if err != nil {
		tb.Fatalf("merge of %s\nwith %s: got error %v", doc, patch, err)
	}
	if got := mustCanonical(tb, second); !bytes.Equal(got, result) {
		tb.Fatalf("merge of %s\nwith %s: two libraries got\n%s\n%s", doc, patch, got, result)
	}
	return result
}

// mergeInto is the function of RFC 7396, section 2.
func mergeInto(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	object, ok := target.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	for name, value := range changes {
		if value == nil {
			delete(object, name)
		} else {
			object[name] = mergeInto(object[name], value)
		}
	}
	return object
}

func isContainer(doc []byte) bool { return doc[0] == '{' || doc[0] == '[' }

const noLimit = 1 << 30

// checkPatch checks that a patch is exact, no larger than one that replaces the
// whole, and made within a limit of its own size but of no less.
func checkPatch(tb testing.TB, d *Differ, from, to []byte) []byte {
	tb.Helper()
	patch, notes, ok := d.Patch(from, to, noLimit)
	if !ok {
		tb.Fatalf("from %s\nto %s: got no patch", from, to)
	}
	if got := applyPatch(tb, from, patch); string(got) != string(to) {
		tb.Fatalf("from %s\nby %s\ngot  %s\nwant %s", from, patch, got, to)
	}
	if got, want := len(patch), len(`[{"op":"replace","path":"","value":}]`)+len(to); got > want {
		tb.Fatalf("from %s\nto %s: got a patch of %d bytes, want at most %d", from, to, got, want)
	}
	if len(notes) > maxNotes {
		tb.Fatalf("got %d notes, want at most %d", len(notes), maxNotes)
	}
	if len(patch) != cap(patch) && len(patch) > 2 {
		tb.Fatalf("patch %s: got %d bytes, want %d as estimated", patch, len(patch), cap(patch))
	}
	if again, _, ok := d.Patch(from, to, len(patch)); !ok || string(again) != string(patch) {
		tb.Fatalf("limit %d: got %s, %t, want %s", len(patch), again, ok, patch)
	}
	if _, _, ok := d.Patch(from, to, len(patch)-1); ok {
		tb.Fatalf("limit %d: got a patch, want none", len(patch)-1)
	}
	return patch
}

// checkMerge checks that there is an exact merge patch if there can be one.
func checkMerge(tb testing.TB, d *Differ, from, to []byte) {
	tb.Helper()
	patch, ok := d.Merge(from, to, noLimit)
	if want := mergeExists(tb, from, to); ok != want {
		tb.Fatalf("from %s\nto %s: got a merge patch: %t, want %t", from, to, ok, want)
	}
	if !ok {
		return
	}
	if got := applyMerge(tb, from, patch); string(got) != string(to) {
		tb.Fatalf("from %s\nmerged with %s\ngot  %s\nwant %s", from, patch, got, to)
	}
	if again, ok := d.Merge(from, to, len(patch)); !ok || string(again) != string(patch) {
		tb.Fatalf("limit %d: got %s, %t, want %s", len(patch), again, ok, patch)
	}
	if _, ok := d.Merge(from, to, len(patch)-1); ok {
		tb.Fatalf("limit %d: got a merge patch, want none", len(patch)-1)
	}
}

// mergeExists says by the definition whether null would have to be set.
func mergeExists(tb testing.TB, from, to []byte) bool {
	tb.Helper()
	var a, b map[string]json.RawMessage
	if from[0] != '{' || to[0] != '{' || json.Unmarshal(from, &a) != nil || json.Unmarshal(to, &b) != nil {
		return false
	}
	for name, value := range b {
		old, had := a[name]
		switch {
		case had && string(old) == string(value):
		case string(value) == "null":
			return false
		case value[0] == '{':
			if !had || old[0] != '{' {
				old = json.RawMessage("{}")
			}
			if !mergeExists(tb, old, value) {
				return false
			}
		}
	}
	return true
}
