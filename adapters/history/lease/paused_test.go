package lease

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// child is a replica in a process of its own. It says when it begins and ends
// to hold the lease, and every millisecond that it does something under it,
// until its input is closed.
func child(url string) error {
	js, err := dial(url)
	if err != nil {
		return err
	}
	defer js.Conn().Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		defer cancel()
		_, _ = os.Stdin.Read(make([]byte, 1))
	}()
	b, err := Open(ctx, js, Options{Bucket: bucketName, TTL: ttl, Holder: "child"})
	if err != nil {
		return err
	}
	defer b.Close()
	say := func(what string) { fmt.Println(what, time.Now().UnixNano()) }
	err = b.Contend(ctx, "source", func(ctx context.Context, h *Held) error {
		say("begin")
		defer say("end")
		for tick := time.NewTicker(time.Millisecond); ; {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
				if !h.Lost() {
					say("act")
				}
			}
		}
	}, nil)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// TestPaused: a holder that is stopped for longer than its lease lasts does
// nothing more under it when it goes on, and ends at once.
func TestPaused(t *testing.T) {
	s := start(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childEnv+"="+s.ClientURL())
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}

	var mu sync.Mutex
	acts := 0
	last := make(map[string]time.Time) // when each thing was said last
	var reader sync.WaitGroup
	reader.Go(func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			what, nanos, _ := strings.Cut(lines.Text(), " ")
			n, _ := strconv.ParseInt(nanos, 10, 64)
			mu.Lock()
			last[what] = time.Unix(0, n)
			if what == "act" {
				acts++
			}
			mu.Unlock()
		}
	})
	said := func(what string) (time.Time, int) {
		mu.Lock()
		defer mu.Unlock()
		return last[what], acts
	}

	await(t, "the child to act", func() bool { _, n := said("act"); return n > 100 })
	var j journal
	other := contend(t, open(t, s.ClientURL()), &j, "other")
	await(t, "the other to see the child", func() bool { return other.condition().Holder == "child" })

	stopped := time.Now()
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	await(t, "the other to hold it", other.mine)
	began := j.running()[0].begin
	if took := began.Sub(stopped); took > ttl+slack {
		t.Errorf("the other held it after %v, want at most %v", took, ttl+slack)
	}
	woken := time.Now()
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	await(t, "the child to end", func() bool { at, _ := said("end"); return !at.IsZero() })
	end, _ := said("end")
	t.Logf("the child ended %v after it was woken", end.Sub(woken))
	if end.Before(woken) || end.Sub(woken) > bit {
		t.Errorf("the child ended %v after it was woken, want at once", end.Sub(woken))
	}
	if act, _ := said("act"); act.After(began) {
		t.Errorf("the child acted %v after the other had begun", act.Sub(began))
	}

	// It takes part again.
	other.leave()
	await(t, "the child to hold it again", func() bool { begin, _ := said("begin"); return begin.After(woken) })

	// A pause that is no longer than a lease is none.
	begin, _ := said("begin")
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	<-time.After(ttl / 5)
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	woken = time.Now()
	await(t, "the child to go on", func() bool { act, _ := said("act"); return act.Sub(woken) > ttl })
	if again, _ := said("begin"); !again.Equal(begin) {
		t.Error("the child has lost the lease by a short pause")
	}
	in.Close()
	reader.Wait()
	if err := cmd.Wait(); err != nil {
		t.Errorf("the child: got %v, want no error", err)
	}
}
