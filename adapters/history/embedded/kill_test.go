//go:build !sidestream_noembed

package embedded

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"sidestream/adapters"
)

// No message that was acknowledged is lost when the process is killed, and the
// directory is free at once.
func TestKill(t *testing.T) {
	o := options(t)
	var last uint64
	for round := range 3 {
		t.Run(strconv.Itoa(round), func(t *testing.T) {
			child, lines := startRole(t, "publisher", o.Dir)
			for range 500 {
				last = acknowledged(t, lines)
			}
			s := open(t, o)
			awaitReason(t, s, reasonInUse)
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			for lines.Scan() { // what it had said before
				if seq, err := strconv.ParseUint(lines.Text(), 10, 64); err == nil {
					last = max(last, seq)
				}
			}
			awaitReason(t, s, "")
			js := connect(t, s)
			info := streamInfo(t, js)
			if info.State.LastSeq < last {
				t.Fatalf("got messages up to %d, want at least %d, which was acknowledged", info.State.LastSeq, last)
			}
			wantMessages(t, js, info.State.LastSeq)
		})
	}
}

// A process may be killed while streams are made, changed and deleted.
func TestKillWhileStreamsChange(t *testing.T) {
	o := options(t)
	for range 8 {
		child, lines := startRole(t, "reconfigurer", o.Dir)
		for range 20 {
			acknowledged(t, lines)
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() {
			continue
		}
		s := open(t, o)
		awaitReason(t, s, "")
		s.Close()
	}
}

// startRole runs the test binary in a role, which is killed by t.Cleanup.
func startRole(t *testing.T, role, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], dir)
	child.Env = append(os.Environ(), roleVariable+"="+role)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	})
	return child, bufio.NewScanner(out)
}

func acknowledged(t *testing.T, lines *bufio.Scanner) uint64 {
	t.Helper()
	if !lines.Scan() {
		t.Fatalf("the other process has ended: %v", lines.Err())
	}
	seq, err := strconv.ParseUint(lines.Text(), 10, 64)
	if err != nil {
		t.Fatalf("the other process said %q", lines.Text())
	}
	return seq
}

// publisher publishes messages to the store in dir for ever, and prints the
// sequence of each when it is acknowledged.
func publisher(dir string) {
	ctx := context.Background()
	js, st := roleStream(dir)
	for seq := st.CachedInfo().State.LastSeq + 1; ; seq++ {
		ack, err := js.Publish(ctx, "h.a", message(seq))
		if err != nil || ack.Sequence != seq {
			fail("publish %d: %v, %v", seq, ack, err)
		}
		printLine(ack.Sequence)
	}
}

// reconfigurer makes, changes and deletes streams in dir for ever, and prints a
// number after each.
func reconfigurer(dir string) {
	ctx := context.Background()
	js, _ := roleStream(dir)
	for n := uint64(1); ; n++ {
		config := streamConfig
		config.Description = strconv.FormatUint(n, 10)
		if _, err := js.UpdateStream(ctx, config); err != nil {
			fail("update: %v", err)
		}
		other := jetstream.StreamConfig{Name: "other" + strconv.FormatUint(n%10, 10), Subjects: []string{"o." + strconv.FormatUint(n%10, 10)}}
		if _, err := js.CreateOrUpdateStream(ctx, other); err != nil {
			fail("create: %v", err)
		}
		if n%3 == 0 {
			if err := js.DeleteStream(ctx, other.Name); err != nil {
				fail("delete: %v", err)
			}
		}
		printLine(n)
	}
}

func roleStream(dir string) (jetstream.JetStream, jetstream.Stream) {
	o := Defaults()
	o.Dir, o.SyncInterval = dir, adapters.Duration(time.Minute)
	s := Open(o, zerolog.New(os.Stderr).Level(zerolog.ErrorLevel))
	for changed := s.Changed(); s.Trouble() != nil; changed = s.Changed() {
		<-changed
	}
	conn, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		fail("connect: %v", err)
	}
	js, err := jetstream.New(conn)
	if err != nil {
		fail("jetstream: %v", err)
	}
	st, err := js.CreateOrUpdateStream(context.Background(), streamConfig)
	if err != nil {
		fail("create: %v", err)
	}
	return js, st
}

func printLine(n uint64) {
	if _, err := os.Stdout.WriteString(strconv.FormatUint(n, 10) + "\n"); err != nil {
		fail("print: %v", err)
	}
}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}
