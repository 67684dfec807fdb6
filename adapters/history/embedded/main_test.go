//go:build !sidestream_noembed

package embedded

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"sidestream/adapters"
)

// soon bounds what tests wait for.
const soon = 30 * time.Second

// roleVariable makes of the test binary a process that a test needs.
const roleVariable = "SIDESTREAM_EMBEDDED_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "publisher":
		publisher(os.Args[len(os.Args)-1])
	case "reconfigurer":
		reconfigurer(os.Args[len(os.Args)-1])
	default:
		goleak.VerifyTestMain(m)
	}
}

// options returns options for a directory that isn't there yet.
func options(t testing.TB) Options {
	t.Helper()
	o := Defaults()
	o.Dir = filepath.Join(t.TempDir(), "history")
	o.SyncInterval = adapters.Duration(time.Minute) // tests needn't wait for disks
	return o
}

// open opens a server, which t.Cleanup closes.
func open(t testing.TB, o Options) *Server {
	t.Helper()
	var c adapters.OptionErrors
	o.Check(&c, "embedded")
	if err := c.Err(); err != nil {
		t.Fatalf("the test's own options: %v", err)
	}
	s := Open(o, zerolog.New(zerolog.NewTestWriter(t)))
	t.Cleanup(s.Close)
	return s
}

// awaitReason waits until the server's trouble has the reason; "" is none.
func awaitReason(t testing.TB, s *Server, reason string) {
	t.Helper()
	timeout := time.After(soon)
	for {
		changed := s.Changed()
		trouble := s.Trouble()
		if trouble == nil && reason == "" || trouble != nil && adapters.Reason(trouble) == reason {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("waited %v for trouble %q, got %v", soon, reason, trouble)
		}
	}
}

// connect returns a client of the server, which t.Cleanup closes.
func connect(t testing.TB, s *Server) jetstream.JetStream {
	t.Helper()
	conn, err := nats.Connect("", nats.InProcessServer(s), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond),
		nats.ReconnectJitter(0, 0))
	if err != nil {
		t.Fatalf("connect: got %v, want no error", err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn, jetstream.WithDefaultTimeout(2*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// The stream that tests use.
const stream = "H"

var streamConfig = jetstream.StreamConfig{Name: stream, Subjects: []string{"h.>"}, Storage: jetstream.FileStorage}

// createStream returns the stream, new and empty.
func createStream(t testing.TB, js jetstream.JetStream) jetstream.Stream {
	t.Helper()
	st, err := js.CreateStream(t.Context(), streamConfig)
	if err != nil {
		t.Fatalf("create the stream: got %v, want no error", err)
	}
	return st
}

// message returns the data of the message with that sequence, which no other
// one has.
func message(seq uint64) []byte {
	return append(fmt.Appendf(nil, "message %d ", seq), bytes.Repeat([]byte{byte(seq)}, 200)...)
}

// publish publishes n messages that follow what the stream has.
func publish(t testing.TB, js jetstream.JetStream, n int) {
	t.Helper()
	info := streamInfo(t, js)
	for i := range uint64(n) {
		if _, err := js.Publish(t.Context(), "h.a", message(info.State.LastSeq+1+i)); err != nil {
			t.Fatalf("publish: got %v, want no error", err)
		}
	}
}

func streamInfo(t testing.TB, js jetstream.JetStream) *jetstream.StreamInfo {
	t.Helper()
	st, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatalf("the stream: got %v, want no error", err)
	}
	return st.CachedInfo()
}

// wantMessages fails unless the stream's messages are 1 to last.
func wantMessages(t testing.TB, js jetstream.JetStream, last uint64) {
	t.Helper()
	info := streamInfo(t, js)
	if got := info.State; got.FirstSeq != 1 || got.LastSeq != last || got.Msgs != last {
		t.Fatalf("got %d messages from %d to %d, want 1 to %d", got.Msgs, got.FirstSeq, got.LastSeq, last)
	}
	wantReadable(t, js, 1, last)
}

func wantReadable(t testing.TB, js jetstream.JetStream, first, last uint64) {
	t.Helper()
	st, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	for seq := first; seq <= last; seq++ {
		if msg, err := st.GetMsg(t.Context(), seq); err != nil || !bytes.Equal(msg.Data, message(seq)) {
			t.Fatalf("message %d: got %v, %v, want what was published", seq, msg, err)
		}
	}
}

// fill makes a store with n messages and closes it.
func fill(t testing.TB, o Options, n int) {
	t.Helper()
	s := open(t, o)
	awaitReason(t, s, "")
	js := connect(t, s)
	createStream(t, js)
	publish(t, js, n)
	js.Conn().Close()
	s.Close()
}

// file returns the path of a file of the stream.
func file(o Options, elem ...string) string {
	return filepath.Join(append([]string{streamsOf(o.Dir), stream}, elem...)...)
}
