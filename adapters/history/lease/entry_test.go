package lease

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func TestKeys(t *testing.T) {
	long := strings.Repeat("x", maxKey+1)
	for _, test := range []struct{ name, want string }{
		{"", "="},
		{"orders", "orders"},
		{"a/b_c-d", "a/b_c-d"},
		{"a.b", "a=2eb"},
		{"=", "=3d"},
		{"a b*>ä", "a=20b=2a=3e=c3=a4"},
		{long[1:], long[1:]},
		{long, long[1:] + ".0ec9eb33e74510bcdd1f2ea55206e82f"}, // by sha256sum
	} {
		if got := keyOf(test.name); got != test.want {
			t.Errorf("key of %q: got %q, want %q", test.name, got, test.want)
		}
	}
}

// FuzzKeys: keys are valid and bounded, and different for different names.
func FuzzKeys(f *testing.F) {
	f.Add("", "=")
	f.Add("a.b", "a=2eb")
	f.Add(strings.Repeat("x", maxKey), strings.Repeat("x", maxKey+1))
	valid := regexp.MustCompile(`^[-/_=a-zA-Z0-9]+(\.[0-9a-f]{32})?$`)
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := keyOf(a), keyOf(b)
		if (a == b) != (x == y) {
			t.Errorf("keys of %q and %q: got %q and %q", a, b, x, y)
		}
		if !valid.MatchString(x) || len(x) > maxKey+33 {
			t.Errorf("key of %q: got %q, want a valid one", a, x)
		}
	})
}

// FuzzParse: what anybody may have put into a bucket does no harm, and what is
// written is read.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"id":"a","holder":"b","ttl_ms":1000,"term":3,"state":"x","released":true}`))
	f.Add([]byte(`{"ttl_ms":-9223372036854775808}`))
	f.Add([]byte(`{"ttl_ms":9223372036854775807}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e := parse(data, nil, 7)
		if d := e.lasts(ttl); d <= 0 || d > maxTTL {
			t.Errorf("TTL: got %v, want from 0 to %v", d, maxTTL)
		}
		if e.revision != 7 || e.Term == 0 {
			t.Errorf("got %+v, want its revision and a term", e)
		}
		text, err := json.Marshal(e.record)
		if err != nil {
			t.Fatal(err)
		}
		if again := parse(text, nil, 7); again != e {
			t.Errorf("got %+v, want %+v", again, e)
		}
	})
}

func TestParseMarkers(t *testing.T) {
	for _, header := range []natsgo.Header{{"KV-Operation": {"DEL"}}, {"KV-Operation": {"PURGE"}}, {jetstream.MarkerReasonHeader: {"MaxAge"}}} {
		if e := parse(nil, header, 7); !e.free() || e.revision != 7 || e.Term != 7 {
			t.Errorf("%v: got %+v, want one that is free", header, e)
		}
	}
}

// A lossy bucket writes, and then says that there was no answer.
type lossy struct {
	jetstream.KeyValue

	mu   sync.Mutex
	lose int // guarded by mu; so many answers
}

func (l *lossy) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	revision, err := l.KeyValue.Update(ctx, key, value, revision)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lose > 0 && err == nil {
		l.lose--
		return 0, context.DeadlineExceeded
	}
	return revision, err
}

func (l *lossy) next(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lose = n
}

func (l *lossy) left() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lose
}

// TestUncertain: it doesn't matter whether the answer to a write is lost: to
// take the lease, to renew it, or to give it up.
func TestUncertain(t *testing.T) {
	s := start(t)
	b := open(t, s.ClientURL())
	l := &lossy{KeyValue: b.kv}
	b.kv = l

	var j journal
	l.next(1)
	begin := time.Now()
	one := contend(t, b, &j, "one")
	await(t, "the lease", one.mine)
	if took := time.Since(begin); took > slack {
		t.Errorf("taken after %v, want at once", took)
	}

	two := contend(t, open(t, s.ClientURL()), &j, "two")
	await(t, "the other to see that", func() bool { return two.condition().Held })
	for _, state := range []string{"a", "b", "c"} {
		l.next(2)
		one.tell(state)
		await(t, "the other to see it", func() bool { return two.condition().State == state && l.left() == 0 })
	}
	if n := len(j.all()); n != 1 {
		t.Errorf("terms: got %d, want 1", n)
	}

	l.next(1)
	one.tell("the end")
	begin = time.Now()
	one.leave()
	await(t, "the other to hold it", two.mine)
	if took := time.Since(begin); took > slack {
		t.Errorf("handed over in %v, want at once", took)
	}
	j.check(t, 0)
}

// TestUncertainTake: a lease that was taken without the one knowing that has
// left meanwhile is given up.
func TestUncertainTake(t *testing.T) {
	s := start(t)
	b := open(t, s.ClientURL())
	ctx, cancel := context.WithCancel(t.Context())
	l := &leaving{KeyValue: b.kv, leave: cancel}
	b.kv = l
	err := b.Contend(ctx, "source", func(context.Context, *Held) error {
		t.Error("run was called, want that it isn't")
		return nil
	}, nil)
	if err == nil {
		t.Error("Contend: got no error, want that of the context")
	}
	e, err := b.read(t.Context(), keyOf("source"))
	if err != nil || e.revision == 0 || !e.free() {
		t.Errorf("the entry: got %+v, %v, want one that was given up", e, err)
	}
}

// A leaving bucket ends its user's context with the first write.
type leaving struct {
	jetstream.KeyValue
	leave func()
}

func (l *leaving) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	revision, err := l.KeyValue.Update(ctx, key, value, revision)
	l.leave()
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return revision, err
}
