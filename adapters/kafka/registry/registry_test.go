package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/httpclient"
	"sidestream/adapters/secret"
)

func TestDecode(t *testing.T) {
	f := newFake(t)
	f.add("1", document{Text: `{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}`})
	f.add("2", document{Type: typeJSON, Text: `{"type":"object"}`})
	f.add("3", document{Type: typeProtobuf, Text: `syntax = "proto3"; message M { int32 order_id = 1; }`})
	f.add("4", document{Type: "XML", Text: `<x/>`})
	f.add("00112233-4455-6677-8899-aabbccddeeff", document{Type: typeAvro, Text: `"string"`})
	r := newRegistry(t, f, nil)

	decodes(t, r, framed(1, 0x54), `{"a":42}`)
	decodes(t, r, framedText(2, ` {"a": 1, "a": 2} `), ` {"a": 1, "a": 2} `)
	decodes(t, r, framed(3, 0, 8, 7), `{"orderId":7}`)
	guid := unhex(t, "01 00112233445566778899aabbccddeeff")
	decodes(t, r, append(slices.Clone(guid), 2, 'x'), `"x"`)

	badly(t, r, nil, "empty")
	badly(t, r, []byte("{}"), "doesn't start with")
	badly(t, r, []byte{0, 0, 0, 1}, "ends within the id")
	badly(t, r, guid[:16], "ends within the GUID")
	badly(t, r, framed(0x80000000), "aren't negative")
	badly(t, r, framed(1), "schema 1: it ends too early")
	badly(t, r, framedText(2, `{"a":`), "schema 2: it is not one JSON text")
	badly(t, r, framedText(2, `1 2`), "not one JSON text")
	badly(t, r, framedText(2, "\"\xff\""), "not one JSON text")
	badly(t, r, framed(4), `schema 4: its format "XML" is none of`)
	badly(t, r, framed(5), "schema 5: the registry doesn't have it")
	badly(t, r, unhex(t, "01 ffffffffffffffffffffffffffffffff"), "schema ffffffff-ffff-ffff-ffff-ffffffffffff: the registry doesn't have it")
}

func TestDecodeAs(t *testing.T) {
	f := newFake(t)
	const guid = "01 00112233445566778899aabbccddeeff"
	f.add("00112233-4455-6677-8899-aabbccddeeff", document{Text: `"string"`})
	f.add("7", document{Type: typeProtobuf, Text: `syntax = "proto3"; message A {} message B { message C { bool c = 1; } }`})
	r := newRegistry(t, f, nil)
	for _, c := range []struct{ header, data, want string }{
		{guid, "02 78", `"x"`},
		{"00 00000007 00", "", `{}`},
		{"00 00000007 04 02 00", "08 01", `{"c":true}`},
	} {
		got, err := r.DecodeAs(context.Background(), unhex(t, c.header), unhex(t, c.data))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.header, got, err, c.want)
		}
	}
	got, err := r.DecodeAs(context.Background(), nil, append(unhex(t, guid), 2, 'y'))
	if err != nil || string(got) != `"y"` {
		t.Errorf("without a header: got %s, %v", got, err)
	}
	for _, c := range []struct{ header, want string }{
		{"", "the schema header is empty"},
		{"02", "the schema header doesn't start with"},
		{"00 0000", "the schema header ends within the id"},
		{"00 00000007", errIndex.Error()},
		{"00 00000007 02 04", errIndex.Error()},
	} {
		got, err := r.DecodeAs(context.Background(), append([]byte{}, unhex(t, c.header)...), nil)
		wantPayloadError(t, got, err, c.want)
	}
	equal(t, "header of values", Value.Header(), "__value_schema_id")
	equal(t, "header of keys", Key.Header(), "__key_schema_id")
}

// TestRequests checks what the registry is asked for, and how.
func TestRequests(t *testing.T) {
	f := newFake(t)
	f.answerWith(func(w http.ResponseWriter, r *http.Request) {
		http.StripPrefix("/registry", http.HandlerFunc(f.lookup)).ServeHTTP(w, r)
	})
	f.add("1", document{Text: `{"type":"record","name":"R","fields":[{"name":"a","type":"A"}]}`, References: []reference{{"A", ":.ctx:a/b", 3}}})
	f.addSubject(":.ctx:a/b", 3, document{Text: `{"type":"enum","name":"A","symbols":["X"]}`})
	r := newRegistry(t, f, func(o *Options) { o.URL += "/registry/" })
	// A subject with a slash is one segment, which the fake can't tell.
	f.addSubject(":.ctx:a", 3, document{})
	_, _ = r.Decode(context.Background(), framed(1, 0))
	want := []string{"/registry/schemas/ids/1", "/registry/subjects/:.ctx:a%2Fb/versions/3?deleted=true"}
	if got := f.requests(); !slices.Equal(got, want) {
		t.Errorf("got requests %q, want %q", got, want)
	}
	first := f.asked[0]
	equal(t, "Accept", first.Header.Get("Accept"), accept)
	equal(t, "User-Agent", first.Header.Get("User-Agent"), userAgent)
}

// TestOnce checks that each schema is asked for once, however many want it.
func TestOnce(t *testing.T) {
	f := newFake(t)
	f.add("1", document{Text: `"int"`})
	asked := make(chan struct{}, 100)
	release := make(chan struct{})
	f.answerWith(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-release
		f.lookup(w, r)
	})
	r := newRegistry(t, f, nil)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { decodes(t, r, framed(1, 2), `1`) })
	}
	<-asked
	close(release)
	wg.Wait()
	for range 10 {
		decodes(t, r, framed(1, 4), `2`)
	}
	equal(t, "requests", len(f.requests()), 1)
}

// TestLeave checks that a caller who leaves doesn't fail those who stay, nor
// lets them wait for ever.
func TestLeave(t *testing.T) {
	f := newFake(t)
	f.add("1", document{Text: `"int"`})
	asked := make(chan struct{}, 100)
	var held atomic.Bool
	held.Store(true)
	f.answerWith(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		if held.Load() {
			<-r.Context().Done()
			return
		}
		f.lookup(w, r)
	})
	r := newRegistry(t, f, nil)
	ctx, leave := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := r.Decode(ctx, framed(1, 2))
		equal(t, "error of who left", errors.Is(err, context.Canceled), true)
	})
	<-asked // the first one is asking

	waiting, gone := context.WithCancel(context.Background())
	wg.Go(func() {
		_, err := r.Decode(waiting, framed(1, 2))
		equal(t, "error of who left while waiting", errors.Is(err, context.Canceled), true)
	})
	for range 5 {
		wg.Go(func() { decodes(t, r, framed(1, 2), `1`) })
	}
	gone()
	held.Store(false)
	leave()
	wg.Wait()
}

func TestUpstreamFailures(t *testing.T) {
	status := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			fmt.Fprint(w, body)
		}
	}
	basic := func(o *Options) {
		o.HTTP.Auth.Basic = &httpclient.Basic{User: secret.Text("u"), Password: secret.Text("p")}
	}
	fromFile := func(o *Options) { o.HTTP.Headers = map[string]secret.Value{"X-Key": {File: os.DevNull + "x"}} }
	for _, c := range []struct {
		name      string
		answer    http.HandlerFunc
		edit      func(*Options)
		reason    string
		permanent bool
	}{
		{"500", status(500, ""), nil, "schema registry answered 500", false},
		{"500 with a code", status(500, `{"error_code":50001}`), nil, "schema registry answered 500", false},
		{"429", status(429, ""), nil, "schema registry answered 429", false},
		{"404 of a gateway", status(404, "not found"), nil, "schema registry answered 404", false},
		{"404 of a path", status(404, `{"error_code":404,"message":"HTTP 404 Not Found"}`), nil, "schema registry answered 404", false},
		{"401", status(401, ""), nil, "schema registry refused the credentials", true},
		{"403", status(403, ""), basic, "schema registry refused the credentials", true},
		{"no JSON", status(200, "<html>"), nil, "schema registry sent an unreadable answer", false},
		{"no schema", status(200, `{}`), nil, "schema registry sent an unreadable answer", false},
		{"no answer", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil, "schema registry does not answer", false},
		{"too slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, func(o *Options) { o.Timeout = adapters.Duration(50 * time.Millisecond) }, "schema registry does not answer", false},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.test/", http.StatusFound)
		}, nil, "upstream redirected elsewhere", false},
		{"no credentials", status(200, ""), fromFile, secret.ReasonUnavailable, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t)
			f.answerWith(c.answer)
			_, err := newRegistry(t, f, c.edit).Decode(context.Background(), framed(1, 0))
			var u *adapters.UpstreamError
			if !errors.As(err, &u) {
				t.Fatalf("got %v, want an UpstreamError", err)
			}
			equal(t, "reason", u.Reason, c.reason)
			equal(t, "permanent", u.Permanent, c.permanent)
			if !strings.HasPrefix(u.Err.Error(), "kafka.schema_registry: GET http://127.0.0.1:") || !strings.Contains(u.Err.Error(), "/schemas/ids/1: ") {
				t.Errorf("got %v, want it to name the option and the request", u.Err)
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	f := newFake(t)
	f.Close()
	_, err := newRegistry(t, f, nil).Decode(context.Background(), framed(1, 0))
	equal(t, "reason", adapters.Reason(err), "schema registry does not answer")
	equal(t, "permanent", adapters.IsPermanent(err), false)
}

// TestDown checks that a registry that is down holds up new schemas only, and
// that it isn't asked all the time.
func TestDown(t *testing.T) {
	f := newFake(t)
	f.add("1", document{Text: `"int"`})
	f.add("2", document{Text: `"int"`})
	r := newRegistry(t, f, func(o *Options) { o.Retry = adapters.Duration(100 * time.Millisecond) })
	decodes(t, r, framed(1, 2), `1`)

	f.answerWith(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	decodes(t, r, framed(1, 4), `2`)
	for range 20 {
		_, err := r.Decode(context.Background(), framed(2, 2))
		equal(t, "reason", adapters.Reason(err), "schema registry answered 503")
	}
	if n := len(f.requests()); n > 5 {
		t.Errorf("got %d requests, want few", n)
	}

	f.answerWith(nil)
	eventually(t, "the schema to be had", func() bool {
		_, err := r.Decode(context.Background(), framed(2, 2))
		return err == nil
	})
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// TestNotFound checks that a schema which isn't there is asked for twice, is
// remembered as such, and is asked for anew after a while.
func TestNotFound(t *testing.T) {
	f := newFake(t)
	r := newRegistry(t, f, func(o *Options) { o.NotFound = adapters.Duration(100 * time.Millisecond) })
	badly(t, r, framed(9, 2), "schema 9: the registry doesn't have it")
	equal(t, "requests", len(f.requests()), 2)
	badly(t, r, framed(9, 2), "doesn't have it")
	equal(t, "requests", len(f.requests()), 2)

	f.add("9", document{Text: `"int"`})
	eventually(t, "the schema to be had", func() bool {
		_, err := r.Decode(context.Background(), framed(9, 2))
		return err == nil
	})
}

// TestSettle has a schema that one instance of the registry doesn't have yet.
func TestSettle(t *testing.T) {
	f := newFake(t)
	f.answerWith(func(w http.ResponseWriter, r *http.Request) {
		f.lookup(w, r)
		f.add("9", document{Text: `"int"`})
	})
	start := time.Now()
	decodes(t, newRegistry(t, f, nil), framed(9, 2), `1`)
	if waited := time.Since(start); waited < settle {
		t.Errorf("it was asked for again after %s, want %s", waited, settle)
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.answerWith(func(w http.ResponseWriter, r *http.Request) {
		f.lookup(w, r)
		cancel()
	})
	_, err := newRegistry(t, f, nil).Decode(ctx, framed(10, 2))
	equal(t, "error of who left", errors.Is(err, context.Canceled), true)
}

// TestCacheIsBounded checks that schemas go which weren't used for long, and
// that ids which don't exist don't take their place.
func TestCacheIsBounded(t *testing.T) {
	f := newFake(t)
	for _, id := range []string{"1", "2", "3"} {
		f.add(id, document{Text: `"int"`})
	}
	r := newRegistry(t, f, func(o *Options) { o.Schemas = 2 })
	decodes(t, r, framed(1, 2), `1`)
	decodes(t, r, framed(2, 2), `1`)
	decodes(t, r, framed(1, 2), `1`)
	decodes(t, r, framed(3, 2), `1`) // 2 goes
	decodes(t, r, framed(1, 2), `1`)
	equal(t, "requests", len(f.requests()), 3)
	decodes(t, r, framed(2, 2), `1`)
	equal(t, "requests", len(f.requests()), 4)

	before := len(f.requests())
	for id := range uint32(3) {
		badly(t, r, framed(100+id, 2), "doesn't have it")
	}
	decodes(t, r, framed(1, 2), `1`)
	decodes(t, r, framed(2, 2), `1`)
	equal(t, "requests", len(f.requests()), before+2*3)
	equal(t, "schemas kept", len(r.cache.decoders.byKey), 2)
	equal(t, "failures kept", len(r.cache.failures.byKey), 2)
	equal(t, "loading", len(r.cache.loading), 0)
}

func TestReferences(t *testing.T) {
	f := newFake(t)
	record := func(name string, types ...string) string {
		var fields []string
		for i, typ := range types {
			fields = append(fields, fmt.Sprintf(`{"name":"f%d","type":%q}`, i, typ))
		}
		return fmt.Sprintf(`{"type":"record","name":%q,"fields":[%s]}`, name, strings.Join(fields, ","))
	}
	f.add("1", document{Text: record("A", "B", "C"), References: []reference{{"B", "b", 1}, {"C", "c", 2}}})
	f.addSubject("b", 1, document{Text: record("B", "D"), References: []reference{{"D", "d", 1}}})
	f.addSubject("c", 2, document{Text: record("C", "D", "int"), References: []reference{{"D", "d", 1}}})
	f.addSubject("d", 1, document{Text: record("D", "int")})
	decodes(t, newRegistry(t, f, nil), framed(1, 2, 4, 6), `{"f0":{"f0":{"f0":1}},"f1":{"f0":{"f0":2},"f1":3}}`)
	equal(t, "requests, with one for D", len(f.requests()), 4)

	f.add("2", document{Text: record("A", "B"), References: []reference{{"B", "loop", 1}}})
	f.addSubject("loop", 1, document{Text: record("B", "B2"), References: []reference{{"B2", "loop2", 1}}})
	f.addSubject("loop2", 1, document{Text: record("B2", "B"), References: []reference{{"B", "loop", 1}}})
	badly(t, newRegistry(t, f, nil), framed(2), `schema 2: it refers to "B" in a circle`)

	f.add("3", document{Text: record("A", "B"), References: []reference{{"B", "b", 7}}})
	badly(t, newRegistry(t, f, nil), framed(3), `version 7 of the subject "b"`)
	f.add("4", document{Text: record("A", "B"), References: []reference{{"B", "nobody", 1}}})
	badly(t, newRegistry(t, f, nil), framed(4), `the subject "nobody"`)

	badly(t, newRegistry(t, f, func(o *Options) { o.References = 2 }), framed(1), "more than 2 others")
	decodes(t, newRegistry(t, f, func(o *Options) { o.References = 3 }), framed(1, 2, 4, 6), `{"f0":{"f0":{"f0":1}},"f1":{"f0":{"f0":2},"f1":3}}`)

	f.add("5", document{Text: `"int"`, References: []reference{{"B", "bad", 1}}})
	f.addSubject("bad", 1, document{Text: `{`})
	badly(t, newRegistry(t, f, nil), framed(5), `it refers to "B", which is no Avro schema`)
}

func TestMaxSchema(t *testing.T) {
	f := newFake(t)
	small := func(o *Options) { o.MaxSchema = minSize }
	doc := func(n int) string { return fmt.Sprintf(`{"type":"int","doc":%q}`, strings.Repeat("x", n)) }
	f.add("1", document{Text: doc(minSize)})
	badly(t, newRegistry(t, f, small), framed(1, 2), "larger than 1KiB")
	f.add("2", document{Text: doc(margin + escaped*minSize)})
	badly(t, newRegistry(t, f, small), framed(2, 2), "larger than 1KiB")
	f.add("3", document{Text: doc(700), References: []reference{{"x", "x", 1}}})
	f.addSubject("x", 1, document{Text: doc(700)})
	badly(t, newRegistry(t, f, small), framed(3, 2), "larger than 1KiB")
	f.add("4", document{Text: doc(700)})
	decodes(t, newRegistry(t, f, small), framed(4, 2), `1`)
}

func TestMaxJSON(t *testing.T) {
	f := newFake(t)
	f.add("1", document{Text: `"string"`})
	f.add("2", document{Type: typeJSON, Text: `{}`})
	f.add("3", document{Type: typeProtobuf, Text: `syntax = "proto3"; message M { repeated int32 n = 1; }`})
	r := newRegistry(t, f, func(o *Options) { o.MaxJSON = minSize })
	long := strings.Repeat("x", minSize)
	badly(t, r, append(framed(1, 0x80, 0x10), long...), "larger than max_json")
	badly(t, r, framedText(2, `"`+long+`"`), "larger than max_json")
	badly(t, r, append(framed(3, 0, 0x0a, 0x80, 0x08), long...), "larger than max_json")
	decodes(t, r, framedText(2, `"`+long[2:]+`"`), `"`+long[2:]+`"`)
}

// TestRotation checks that credentials in files are read again, and that their
// refusal isn't final.
func TestRotation(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := newFake(t)
	f.add("1", document{Text: `"int"`})
	f.answerWith(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer new" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		f.lookup(w, r)
	})
	r := newRegistry(t, f, func(o *Options) {
		o.HTTP.Auth.Bearer = &secret.Value{File: file}
		o.Retry = 0
	})
	_, err := r.Decode(context.Background(), framed(1, 2))
	equal(t, "reason", adapters.Reason(err), "schema registry refused the credentials")
	equal(t, "permanent", adapters.IsPermanent(err), false)
	if err := os.WriteFile(file, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	decodes(t, r, framed(1, 2), `1`)
}

// TestRace has many callers with many schemas and a small cache.
func TestRace(t *testing.T) {
	f := newFake(t)
	for id := range 8 {
		f.add(strconv.Itoa(id), document{Text: `"int"`})
	}
	r := newRegistry(t, f, func(o *Options) { o.Schemas, o.NotFound = 3, 0 })
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range uint32(50) {
				ctx, cancel := context.WithCancel(context.Background())
				if i%7 == 0 {
					cancel()
				}
				got, err := r.Decode(ctx, framed((i*uint32(g+1))%8, 2))
				if err == nil && string(got) != `1` || err != nil && ctx.Err() == nil {
					t.Errorf("got %s, %v", got, err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
}

// TestPanic checks that nobody waits for ever for a caller that panicked.
func TestPanic(t *testing.T) {
	o := Defaults()
	c := newCache(&o, func(context.Context, schemaID) (decoder, error) { panic("boom") })
	func() {
		defer func() { _ = recover() }()
		_, _ = c.get(context.Background(), schemaID{number: 1})
	}()
	_, err := c.get(context.Background(), schemaID{number: 1})
	equal(t, "error", err, errUnfinished)
}

// TestErrorsHoldNoPayload checks that errors say nothing of what is decoded.
func TestErrorsHoldNoPayload(t *testing.T) {
	f := newFake(t)
	f.add("1", document{Text: `"int"`})
	f.add("2", document{Type: typeJSON, Text: `{}`})
	f.add("3", document{Type: typeProtobuf, Text: `syntax = "proto3"; message M { string s = 1; }`})
	r := newRegistry(t, f, nil)
	for id := range uint32(3) {
		_, err := r.Decode(context.Background(), framedText(id+1, "hunter2"))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("schema %d: got error %v, want one without the payload", id+1, err)
		}
	}
}

// TestAnswersOfOthers has what other registries leave out or add.
func TestAnswersOfOthers(t *testing.T) {
	for _, body := range []any{
		map[string]any{"schema": `"int"`},
		map[string]any{"schema": `"int"`, "schemaType": "AVRO", "references": nil, "maxId": 9, "metadata": map[string]any{"tags": nil}},
	} {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		f := &fake{}
		f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(text) }))
		decodes(t, newRegistry(t, f, nil), framed(1, 2), `1`)
		f.Close()
	}
}
