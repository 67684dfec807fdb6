package feed_test

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"sidestream/adapters"
	"sidestream/proxy/feed"
)

func TestBounds(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options feed.Options
		append  string
		want    string
	}{
		{"events", feed.Options{Events: 3}, "a b c d e", "c d e"},
		{"gaps count as events", feed.Options{Events: 3}, "a b gap c", "b gap c"},
		{"bytes", feed.Options{Bytes: 3*blockSize + blockSize/2}, "a b c d e", "c d e"},
		{"bytes exactly", feed.Options{Bytes: 3 * blockSize}, "a b c d e", "c d e"},
		{"gaps have no bytes", feed.Options{Bytes: 2 * blockSize}, "a b gap gap c", "b gap gap c"},
		{"newest stays, larger than all", feed.Options{Bytes: 1}, "a b", "b"},
		{"newest stays, followed by gaps", feed.Options{Events: 2, Bytes: 1}, "a b gap gap", "b gap gap"},
		{"newest pushed out by gaps", feed.Options{Events: 2}, "a b gap gap gap", "gap gap"},
		{"gaps alone", feed.Options{Events: 2}, "gap gap gap", "gap gap"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := feed.New(tt.options)
			appendAll(t, l, strings.Fields(tt.append)...)
			if got := contents(t, l); got != tt.want {
				t.Errorf("contents: got %q, want %q", got, tt.want)
			}
			events := len(strings.Fields(strings.ReplaceAll(tt.want, "gap", "")))
			want := feed.Stats{Events: events, Bytes: int64(events * blockSize)}
			if got := l.Stats(); got != want {
				t.Errorf("stats: got %+v, want %+v", got, want)
			}
		})
	}
}

func TestDefaultBounds(t *testing.T) {
	l := feed.New(feed.Options{})
	appendAll(t, l, numbers(feed.DefaultEvents+1)...)
	if got, want := l.Stats().Events, feed.DefaultEvents; got != want {
		t.Errorf("events: got %d, want %d", got, want)
	}
	big := adapters.Event{Data: []byte(strings.Repeat("x", feed.DefaultBytes/2))}
	for range 3 {
		if err := l.Append(&big); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := l.Stats().Events, 1; got != want {
		t.Errorf("events after large ones: got %d, want %d", got, want)
	}
}

func TestAge(t *testing.T) {
	for name, apply := range map[string]func(*feed.Log){
		"Trim":      (*feed.Log).Trim,
		"Stats":     func(l *feed.Log) { l.Stats() },
		"Tail":      func(l *feed.Log) { l.Tail(1) },
		"After":     func(l *feed.Log) { l.After("b") },
		"AppendGap": func(l *feed.Log) { l.AppendGap(feed.Gap{}) },
		"Append":    func(l *feed.Log) { l.Append(event("d")) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := feed.New(feed.Options{Age: time.Minute})
				cursor := l.Live()
				appendAll(t, l, "a")
				time.Sleep(time.Second)
				appendAll(t, l, "b", "c")

				time.Sleep(59 * time.Second)
				apply(l)
				if got, want := from(t, l, cursor), "a b c"; !strings.HasPrefix(got, want) {
					t.Errorf("at the age of a minute: got %q, want %q first", got, want)
				}
				time.Sleep(time.Nanosecond)
				apply(l)
				if _, ok := l.After("a"); ok {
					t.Error("after a minute: got a place after a, want none")
				}
				if _, _, err := l.Read(&cursor, make([]feed.Entry, 1)); err == nil {
					t.Error("reading what is too old: got no error, want OverrunError")
				}
			})
		})
	}
}

func TestAgeLeavesNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := feed.New(feed.Options{Age: time.Minute})
		appendAll(t, l, "a", "b", "gap")
		time.Sleep(time.Hour)
		l.Trim()
		if got, want := contents(t, l), "b gap"; got != want {
			t.Errorf("contents: got %q, want %q", got, want)
		}
	})
}

// TestRelease proves that the log alone keeps nothing alive that it has
// evicted, however its ring was used before.
func TestRelease(t *testing.T) {
	l := feed.New(feed.Options{Events: 20, Bytes: 20 * blockSize})
	var blocks []weak.Pointer[byte]
	add := func(size int) {
		if err := l.Append(&adapters.Event{Data: make([]byte, size)}); err != nil {
			t.Fatal(err)
		}
		var e [1]feed.Entry
		c := l.Tail(1)
		l.Read(&c, e[:])
		blocks = append(blocks, weak.Make(&e[0].Block[0]))
	}
	held := func() (n int) {
		runtime.GC()
		runtime.GC()
		for _, b := range blocks {
			if b.Value() != nil {
				n++
			}
		}
		return n
	}
	for range 30 {
		add(50)
	}
	if got, want := held(), 20; got != want {
		t.Errorf("blocks alive in a full log: got %d, want %d", got, want)
	}
	add(100 * blockSize) // takes the place of all others, and the ring shrinks
	if got, want := held(), 1; got != want {
		t.Errorf("blocks alive after all but one were evicted: got %d, want %d", got, want)
	}
	runtime.KeepAlive(l)
}

// TestReleaseTables proves that a log that was once large is small again.
func TestReleaseTables(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := feed.New(feed.Options{Events: 1 << 20, Bytes: 1 << 30, Age: time.Minute})
		before := heap()
		for range 50000 {
			l.Append(&adapters.Event{})
		}
		if got := heap() - before; got < 5<<20 {
			t.Errorf("memory in use: got %d, want 5 MiB at least", got)
		}
		time.Sleep(time.Minute)
		for range 50 {
			l.Append(&adapters.Event{})
		}
		time.Sleep(time.Second)
		l.Trim()
		if got := heap() - before; got > 100<<10 {
			t.Errorf("memory in use when all but a few events were trimmed: got %d, want 100 KiB at most", got)
		}
		runtime.KeepAlive(l)
	})
}

// TestReleaseKeys proves the same of many logs.
func TestReleaseKeys(t *testing.T) {
	for name, visit := range map[string]func(k *feed.Keyed, key string){
		"never read": func(*feed.Keyed, string) {},
		"read":       func(k *feed.Keyed, key string) { k.Acquire(key); k.Release(key) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := feed.NewKeyed(feed.KeyedOptions{Idle: feed.Idle{Age: time.Minute}})
				names := keyNames(50000)
				before := heap()
				for _, key := range names {
					k.Append(key, &adapters.Event{})
					visit(k, key)
				}
				if got := heap() - before; got < 15<<20 {
					t.Errorf("memory in use: got %d, want 15 MiB at least", got)
				}
				time.Sleep(time.Hour)
				k.Trim()
				if got := heap() - before; got > 100<<10 {
					t.Errorf("memory in use when all but one key were given up: got %d, want 100 KiB at most", got)
				}
				runtime.KeepAlive(k)
				runtime.KeepAlive(names)
			})
		})
	}
}

// heap returns the number of bytes that are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestReleaseState proves that the source's own memory is let go.
func TestReleaseState(t *testing.T) {
	l := feed.New(feed.Options{})
	data, change := make([]byte, 1000), make([]byte, 1000)
	data[0] = 'x' // not the same as change
	weakState, weakData := weak.Make(&data[0]), weak.Make(&change[0])
	if err := l.Append(&adapters.Event{Data: change, State: &adapters.State{Data: data}}); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	if weakData.Value() != nil {
		t.Error("the event's data: got alive, want released once it is encoded")
	}
	if weakState.Value() == nil {
		t.Error("the state: got released, want alive until it is encoded")
	}
	l.Latest(feed.Cursor{}, nil)
	runtime.GC()
	if weakState.Value() != nil {
		t.Error("the state: got alive, want released once it is encoded")
	}
	runtime.KeepAlive(l)
}
