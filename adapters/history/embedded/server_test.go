//go:build !sidestream_noembed

package embedded

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
)

func TestKeepsWhatIsStored(t *testing.T) {
	o := options(t)
	fill(t, o, 100)
	s := open(t, o)
	awaitReason(t, s, "")
	js := connect(t, s)
	wantMessages(t, js, 100)
	publish(t, js, 10)
	wantMessages(t, js, 110)
	info, err := os.Stat(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode().Perm(), os.FileMode(0o700); got != want {
		t.Errorf("the directory's mode: got %v, want %v", got, want)
	}
}

func TestTroubleBeforeAndAfter(t *testing.T) {
	o := options(t)
	s := open(t, o)
	changed := s.Changed()
	if err := s.Trouble(); err == nil || adapters.IsPermanent(err) || adapters.Reason(err) != reasonStarting {
		t.Errorf("before it is up: got %v, want %q, transient", err, reasonStarting)
	}
	if _, err := s.InProcessConn(); adapters.Reason(err) != reasonStarting {
		t.Errorf("a connection before it is up: got %v, want %q", err, reasonStarting)
	}
	<-changed
	awaitReason(t, s, "")
	changed = s.Changed()
	s.Close()
	<-changed
	if _, err := s.InProcessConn(); adapters.Reason(err) != reasonClosed {
		t.Errorf("a connection after Close: got %v, want %q", err, reasonClosed)
	}
	s.Close() // again
}

func TestCloseAtOnce(t *testing.T) {
	for range 10 {
		open(t, options(t)).Close()
	}
}

// A client that its owner forgot doesn't hold up Close.
func TestCloseWithClient(t *testing.T) {
	s := open(t, options(t))
	awaitReason(t, s, "")
	js := connect(t, s)
	createStream(t, js)
	publish(t, js, 1)
	s.Close()
	if err := s.Trouble(); adapters.Reason(err) != reasonClosed {
		t.Errorf("got %v, want %q", err, reasonClosed)
	}
}

func TestDirectoryInUse(t *testing.T) {
	o := options(t)
	first := open(t, o)
	awaitReason(t, first, "")
	js := connect(t, first)
	createStream(t, js)
	publish(t, js, 10)
	second := open(t, o)
	awaitReason(t, second, reasonInUse)
	publish(t, js, 10) // the first doesn't mind
	js.Conn().Close()
	first.Close()
	awaitReason(t, second, "")
	wantMessages(t, connect(t, second), 20)
}

func TestNotADirectory(t *testing.T) {
	o := options(t)
	if err := os.WriteFile(o.Dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, o)
	awaitReason(t, s, reasonUnwritable)
	if err := os.Remove(o.Dir); err != nil {
		t.Fatal(err)
	}
	awaitReason(t, s, "")
}

// The server's own wish to end the process is a state like others.
func TestServerGivesUp(t *testing.T) {
	o := options(t)
	obstacle := filepath.Join(o.Dir, "jetstream")
	if err := errors.Join(os.Mkdir(o.Dir, 0o700), os.WriteFile(obstacle, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	s := open(t, o)
	for _, want := range []string{reasonUnwritable, ""} {
		awaitReason(t, s, want)
		if err := os.RemoveAll(obstacle); want != "" && err != nil {
			t.Fatal(err)
		}
	}
}

// The server would write on to files that nobody finds again.
func TestDirectoryRemoved(t *testing.T) {
	o := options(t)
	s := open(t, o)
	awaitReason(t, s, "")
	js := connect(t, s)
	createStream(t, js)
	publish(t, js, 10)
	if err := os.Rename(o.Dir, o.Dir+".away"); err != nil {
		t.Fatal(err)
	}
	awaitReason(t, s, reasonGone)
	awaitReason(t, s, "")
	st, err := js.CreateStream(t.Context(), streamConfig) // by the same client
	if err != nil {
		t.Fatalf("the client that reconnected: got %v, want no error", err)
	}
	if got := st.CachedInfo().State.LastSeq; got != 0 {
		t.Errorf("got sequence %d in a new directory, want 0", got)
	}
}

// What may be stored in all is refused politely, and the server stays up.
func TestLimit(t *testing.T) {
	o := options(t)
	o.MaxBytes = leastBytes
	s := open(t, o)
	awaitReason(t, s, "")
	js := connect(t, s)
	st := createStream(t, js)
	data := make([]byte, 64<<10)
	var err error
	for range 20 {
		if _, err = js.Publish(t.Context(), "h.a", data); err != nil {
			break
		}
	}
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		t.Fatalf("beyond the limit: got %v, want an answer that refuses it", err)
	}
	if err := s.Trouble(); err != nil {
		t.Errorf("at the limit: got %v, want no trouble", err)
	}
	if err := st.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "h.a", data); err != nil {
		t.Errorf("with room again: got %v, want no error", err)
	}
	if err := s.Trouble(); err != nil {
		t.Errorf("got %v, want no trouble", err)
	}
}

func TestLargestMessage(t *testing.T) {
	s := open(t, options(t))
	awaitReason(t, s, "")
	js := connect(t, s)
	createStream(t, js)
	if _, err := js.Publish(t.Context(), "h.a", make([]byte, MaxMessage)); err != nil {
		t.Errorf("the largest: got %v, want no error", err)
	}
	if _, err := js.Publish(t.Context(), "h.a", make([]byte, MaxMessage+1)); !errors.Is(err, nats.ErrMaxPayload) {
		t.Errorf("a larger one: got %v, want %v", err, nats.ErrMaxPayload)
	}
}

// Ordered consumers keep their state in memory, and have the room for it.
func TestOrderedConsumer(t *testing.T) {
	s := open(t, options(t))
	awaitReason(t, s, "")
	js := connect(t, s)
	st := createStream(t, js)
	publish(t, js, 3)
	consumer, err := st.OrderedConsumer(t.Context(), jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := consumer.Fetch(3)
	if err != nil {
		t.Fatal(err)
	}
	var got int
	for range batch.Messages() {
		got++
	}
	if got != 3 || batch.Error() != nil {
		t.Errorf("got %d messages and %v, want 3", got, batch.Error())
	}
}
