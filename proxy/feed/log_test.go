package feed_test

import (
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
	"sidestream/proxy/eventstream"
	"sidestream/proxy/feed"
)

// C1, C3: every event carries an id, and one that clients return unchanged.
func TestNumbers(t *testing.T) {
	l, other := feed.New(feed.Options{}), feed.New(feed.Options{})
	ids := func(l *feed.Log) []string {
		for _, position := range []string{"", "", "x", ""} {
			l.Append(&adapters.Event{Position: adapters.Position(position)})
		}
		return strings.Fields(contents(t, l))
	}
	got := ids(l)
	epoch, _, _ := strings.Cut(got[0], "-")
	if !regexp.MustCompile(`^[a-z2-7]{8}$`).MatchString(epoch) {
		t.Errorf("epoch: got %q, want 8 characters of lower-case base32", epoch)
	}
	want := []string{epoch + "-1", epoch + "-2", "x", epoch + "-4"}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("ids: got %q, want %q", got, want)
	}
	if id := ids(other)[0]; strings.HasPrefix(id, epoch) {
		t.Errorf("id in another log: got %q, want another epoch than %q", id, epoch)
	}
}

// W3, W4: what would forge a field or isn't text is refused, and leaves no
// trace.
func TestAppendRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		event adapters.Event
		want  error
	}{
		{"id", adapters.Event{Position: "a\nb"}, eventstream.ErrID},
		{"type", adapters.Event{Type: "a\nb"}, eventstream.ErrType},
		{"data", adapters.Event{Data: []byte("\xff")}, eventstream.ErrData},
		{"type of the state", adapters.Event{State: &adapters.State{Type: "a\rb"}}, eventstream.ErrType},
		{"data of the state", adapters.Event{State: &adapters.State{Data: []byte("\xff")}}, eventstream.ErrData},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := feed.New(feed.Options{Latest: true})
			var first, second [1]feed.Entry
			c := l.Live()
			l.Append(&adapters.Event{})
			l.Read(&c, first[:])
			_, changed, _ := l.Read(&c, first[:])

			if err := l.Append(&tt.event); !errors.Is(err, tt.want) {
				t.Errorf("error: got %v, want %v", err, tt.want)
			}
			if got, want := l.Stats().Events, 1; got != want {
				t.Errorf("events: got %d, want %d", got, want)
			}
			select {
			case <-changed:
				t.Error("readers: got woken, want left waiting")
			default:
			}
			l.Append(&adapters.Event{})
			l.Read(&c, second[:])
			if got, want := second[0].ID, strings.TrimSuffix(first[0].ID, "1")+"2"; got != want {
				t.Errorf("id of the next event: got %q, want %q", got, want)
			}
		})
	}
}

func TestClose(t *testing.T) {
	l := feed.New(feed.Options{})
	appendAll(t, l, "a")
	l.Close()
	l.Close()
	if err := l.Append(event("b")); !errors.Is(err, feed.ErrClosed) {
		t.Errorf("Append: got %v, want ErrClosed", err)
	}
	if err := l.Append(&adapters.Event{Type: "\n"}); !errors.Is(err, feed.ErrClosed) {
		t.Errorf("Append of a bad event: got %v, want ErrClosed", err)
	}
	if err := l.AppendGap(feed.Gap{}); !errors.Is(err, feed.ErrClosed) {
		t.Errorf("AppendGap: got %v, want ErrClosed", err)
	}
	var c feed.Cursor
	buf := make([]feed.Entry, 2)
	if n, _, err := l.Read(&c, buf); n != 1 || err != nil {
		t.Errorf("first read: got %d, %v, want 1, no error", n, err)
	}
	for range 2 {
		if n, _, err := l.Read(&c, buf); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("read when drained: got %d, %v, want 0, io.EOF", n, err)
		}
	}
}

func TestWaking(t *testing.T) {
	for name, wake := range map[string]func(*feed.Log){
		"Append":    func(l *feed.Log) { l.Append(event("b")) },
		"AppendGap": func(l *feed.Log) { l.AppendGap(feed.Gap{}) },
		"Close":     (*feed.Log).Close,
		"Wake":      (*feed.Log).Wake,
		"Settle":    (*feed.Log).Settle,
	} {
		t.Run(name, func(t *testing.T) {
			l := feed.New(feed.Options{})
			c := l.Live()
			n, changed, err := l.Read(&c, make([]feed.Entry, 1))
			if n != 0 || changed == nil || err != nil {
				t.Fatalf("read: got %d, %v, %v, want 0, a channel, no error", n, changed, err)
			}
			select {
			case <-changed:
				t.Fatal("channel: got closed before, want open")
			default:
			}
			wake(l)
			select {
			case <-changed:
			default:
				t.Error("channel: got open, want closed")
			}
		})
	}
}

func TestEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := feed.New(feed.Options{})
		start := time.Now()
		l.Append(&adapters.Event{Position: "a", Type: "t", Data: []byte("x\ny")})
		time.Sleep(time.Second)
		gap := feed.Gap{Reason: adapters.LostExpired, Requested: "r", Resumed: "s", Lost: -1}
		l.AppendGap(gap)

		var c feed.Cursor
		buf := make([]feed.Entry, 3)
		n, changed, err := l.Read(&c, buf)
		if n != 2 || changed != nil || err != nil {
			t.Fatalf("read: got %d, %v, %v, want 2, nil, no error", n, changed, err)
		}
		e, g := buf[0], buf[1]
		if got, want := string(e.Block), encoded(t, "a", "t", []byte("x\ny")); got != want {
			t.Errorf("block: got %q, want %q", got, want)
		}
		if cap(e.Block) != len(e.Block) {
			t.Errorf("capacity of the block: got %d, want %d, so that appending copies", cap(e.Block), len(e.Block))
		}
		if e.ID != "a" || e.Gap != nil || !e.At.Equal(start) {
			t.Errorf("event: got id %q, gap %v, time %v, want a, none, %v", e.ID, e.Gap, e.At, start)
		}
		if g.ID != "" || g.Block != nil || g.Gap == nil || *g.Gap != gap || !g.At.Equal(start.Add(time.Second)) {
			t.Errorf("gap: got %+v, want %+v a second later", g, gap)
		}
	})
}
