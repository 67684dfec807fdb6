package registry

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A fake is a schema registry with the REST interface of Confluent's.
type fake struct {
	*httptest.Server

	mu       sync.Mutex
	ids      map[string]document            // by id or GUID
	subjects map[string]map[string]document // by subject and version
	asked    []*http.Request
	answer   http.HandlerFunc // if set, answers in place of all else
}

func newFake(tb testing.TB) *fake {
	tb.Helper()
	f := &fake{ids: map[string]document{}, subjects: map[string]map[string]document{}}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	tb.Cleanup(f.Close)
	return f
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.asked = append(f.asked, r)
	answer := f.answer
	f.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	f.lookup(w, r)
}

// lookup answers as Confluent's registry does.
func (f *fake) lookup(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	path := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	code := http.StatusNotFound
	switch {
	case len(path) == 3 && path[0] == "schemas" && (path[1] == "ids" || path[1] == "guids"):
		if d, ok := f.ids[path[2]]; ok {
			json.NewEncoder(w).Encode(d)
			return
		}
		code = codeNoSchema
	case len(path) == 4 && path[0] == "subjects" && path[2] == "versions":
		versions, ok := f.subjects[path[1]]
		if d, ok := versions[path[3]]; ok {
			json.NewEncoder(w).Encode(d)
			return
		}
		code = codeNoSubject
		if ok {
			code = codeNoVersion
		}
	}
	w.WriteHeader(http.StatusNotFound)
	json.NewEncoder(w).Encode(map[string]any{"error_code": code, "message": "not found"})
}

func (f *fake) add(id string, d document) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ids[id] = d
}

func (f *fake) addSubject(subject string, version int, d document) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.subjects[subject] == nil {
		f.subjects[subject] = map[string]document{}
	}
	f.subjects[subject][strconv.Itoa(version)] = d
}

// answerWith has f answer all requests by h; nil: as a registry does.
func (f *fake) answerWith(h http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = h
}

// requests returns what was asked for, paths and queries.
func (f *fake) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []string
	for _, r := range f.asked {
		list = append(list, r.URL.String())
	}
	return list
}

// newRegistry returns a registry that asks f.
func newRegistry(tb testing.TB, f *fake, edit func(*Options)) *Registry {
	tb.Helper()
	o := Defaults()
	o.URL = f.URL
	if edit != nil {
		edit(&o)
	}
	r := New("kafka.schema_registry", o)
	tb.Cleanup(r.Close)
	return r
}

// framed returns a payload of the schema with an id.
func framed(id uint32, data ...byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{magicID}, id), data...)
}

func framedText(id uint32, data string) []byte { return framed(id, []byte(data)...) }

// unhex returns the bytes that s writes in hexadecimal; white space aside.
func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func equal[T comparable](tb testing.TB, what string, got, want T) {
	tb.Helper()
	if got != want {
		tb.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// decodes checks that data becomes want.
func decodes(tb testing.TB, r *Registry, data []byte, want string) {
	tb.Helper()
	got, err := r.Decode(context.Background(), data)
	if err != nil || string(got) != want {
		tb.Errorf("got %s, %v, want %s", got, err, want)
	}
}

// badly checks that data can't be decoded for good, for a reason that holds
// want.
func badly(tb testing.TB, r *Registry, data []byte, want string) {
	tb.Helper()
	got, err := r.Decode(context.Background(), data)
	wantPayloadError(tb, got, err, want)
}

func wantPayloadError(tb testing.TB, got []byte, err error, want string) {
	tb.Helper()
	var bad *PayloadError
	if !errors.As(err, &bad) || !strings.Contains(err.Error(), want) {
		tb.Errorf("got %.200s, error %v, want a PayloadError with …%s…", got, err, want)
	}
}
