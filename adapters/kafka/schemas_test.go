package kafka

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"sidestream/adapters"
	"sidestream/adapters/kafka/registry"
)

// A schemaServer is a registry whose schemas, whatever their id up to 9, are
// Avro's string.
type schemaServer struct {
	*httptest.Server
	down  atomic.Bool
	asked atomic.Int32
}

func startSchemas(t testing.TB) *schemaServer {
	t.Helper()
	s := &schemaServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
		_, id, _ := strings.Cut(r.URL.Path, "/schemas/ids/")
		switch {
		case s.down.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		case len(id) != 1:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"error_code":40403,"message":"Schema not found"}`)
		default:
			fmt.Fprint(w, `{"schema":"\"string\""}`)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// encoded returns text as it is written with a schema.
func encoded(id uint32, text string) []byte {
	b := binary.BigEndian.AppendUint32([]byte{0}, id)
	b = binary.AppendVarint(b, int64(len(text)))
	return append(b, text...)
}

func (s *schemaServer) options(decode ...registry.Part) func(*Options) {
	return func(o *Options) {
		o.SchemaRegistry.URL, o.SchemaRegistry.Retry, o.SchemaRegistry.Decode = s.URL, 0, decode
	}
}

func TestSchemas(t *testing.T) {
	t.Parallel()
	k, schemas := startFake(t, 1), startSchemas(t)
	k.put(t,
		&kgo.Record{Topic: topicName, Key: encoded(1, "key"), Value: encoded(2, "a")},
		&kgo.Record{Topic: topicName, Key: encoded(1, "key"), Value: nil},
		&kgo.Record{Topic: topicName, Key: nil, Value: encoded(2, "b")},
		&kgo.Record{Topic: topicName, Key: encoded(1, "key"), Value: []byte("plain")},        // which isn't decodable
		&kgo.Record{Topic: topicName, Key: []byte("plain"), Value: encoded(2, "c")},          // likewise its key
		&kgo.Record{Topic: topicName, Key: encoded(1, "key"), Value: encoded(2, "d")[:6]},    // cut off
		&kgo.Record{Topic: topicName, Key: encoded(1, "key"), Value: encoded(1234567, "e")},  // of a schema that isn't there
		&kgo.Record{Topic: topicName, Key: encoded(1, "key"), Value: encoded(3, `"quoted"`)}, // and on it goes
	)
	for _, c := range []struct {
		decode []registry.Part
		keys   []string
		want   []string
	}{
		{
			[]registry.Part{registry.Key, registry.Value},
			[]string{`key`, `key`, ``, ``, ``, ``, ``, `key`},
			[]string{`"a"`, `key`, `"b"`, "gap:invalid", "gap:invalid", "gap:invalid", "gap:invalid", `"\"quoted\""`},
		},
		{
			[]registry.Part{registry.Value},
			[]string{text(encoded(1, "key")), text(encoded(1, "key")), ``, ``, `plain`, ``, ``, text(encoded(1, "key"))},
			[]string{`"a"`, text(encoded(1, "key")), `"b"`, "gap:invalid", `"c"`, "gap:invalid", "gap:invalid", `"\"quoted\""`},
		},
	} {
		s := k.source(t, schemas.options(c.decode...))
		r := run(t, s, "")
		r.wait("all", func() bool { return len(r.seen()) == len(c.want) })
		events := r.stop()
		if got := payloads(events); !slices.Equal(got, c.want) {
			t.Errorf("decode %v: got %q, want %q", c.decode, got, c.want)
		}
		for i, e := range events {
			if e.Key != c.keys[i] {
				t.Errorf("decode %v: got key %q of event %d, want %q", c.decode, e.Key, i, c.keys[i])
			}
			if e.Gap != nil && e.Gap.Lost != 1 {
				t.Errorf("decode %v: got %d lost, want 1", c.decode, e.Gap.Lost)
			}
			again := run(t, s, e.Position)
			again.waitLive()
			if got := payloads(again.stop()); !slices.Equal(got, c.want[i+1:]) {
				t.Errorf("decode %v: got %q after event %d, want %q", c.decode, got, i, c.want[i+1:])
			}
		}
	}
}

// A registry that is down fails the Run for a while; nothing is passed over.
func TestSchemasDown(t *testing.T) {
	t.Parallel()
	k, schemas := startFake(t, 1), startSchemas(t)
	s := k.source(t, schemas.options(registry.Value))
	r := run(t, s, "")
	r.waitLive()
	k.put(t, &kgo.Record{Topic: topicName, Value: encoded(1, "a")})
	r.wait("one", func() bool { return len(r.seen()) == 1 })
	schemas.down.Store(true)
	k.put(t, &kgo.Record{Topic: topicName, Value: encoded(1, "b")}, // of a schema that is known
		&kgo.Record{Topic: topicName, Value: encoded(2, "c")},
		&kgo.Record{Topic: topicName, Value: encoded(1, "d")})
	err := r.ended()
	if err == nil || adapters.IsPermanent(err) || strings.Contains(adapters.Reason(err), schemas.URL) {
		t.Errorf("got %v, want a transient failure that names no address", err)
	}
	got := payloads(r.seen())
	if want := []string{`"a"`, `"b"`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	at := r.seen()[len(r.seen())-1].Position
	if err := run(t, s, at).ended(); err == nil || adapters.IsPermanent(err) {
		t.Errorf("got %v, want a transient failure", err)
	}
	schemas.down.Store(false)
	r = run(t, s, at)
	r.wait("the rest", func() bool { return len(r.seen()) == 2 })
	if got, want := r.values(), []string{`"c"`, `"d"`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
