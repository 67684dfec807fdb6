package payload

import (
	"errors"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// options returns the defaults with a format and what edit changes.
func options(f Format, edit func(*Options)) *Options {
	o := Defaults()
	o.Format = f
	if edit != nil {
		edit(&o)
	}
	return &o
}

// unreadable starts what a table wants of an error, too large that of another.
const (
	unreadable = "(unreadable) "
	tooLarge   = "(too large)"
)

// wantDocument compares a document, or the error in its place, which is never
// to quote the word hunter2.
func wantDocument(t *testing.T, doc Document, err error, want string, isJSON bool) {
	t.Helper()
	detail, failure := strings.CutPrefix(want, unreadable)
	switch {
	case err != nil && strings.Contains(err.Error(), "hunter2"):
		t.Errorf("got error %q, want no payload in it", err)
	case want == tooLarge:
		if !errors.Is(err, ErrTooLarge) || errors.Is(err, ErrUnreadable) {
			t.Errorf("got %.80q, %v, want ErrTooLarge", doc.Data, err)
		}
	case failure:
		if !errors.Is(err, ErrUnreadable) || !strings.HasSuffix(err.Error(), detail) {
			t.Errorf("got %.80q, %v, want an unreadable body: %s", doc.Data, err, detail)
		}
	case err != nil:
		t.Errorf("got error %v, want %.80q", err, want)
	case string(doc.Data) != want:
		t.Errorf("got %.2000q, want %.2000q", doc.Data, want)
	case doc.JSON != isJSON:
		t.Errorf("JSON: got %v, want %v", doc.JSON, isJSON)
	}
}
