package sse

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"sidestream/adapters"
	"sidestream/adapters/adaptertest"
	"sidestream/proxy"
	"sidestream/proxy/strictyaml"
)

// sidestream serves a log as another Sidestream does, at address if that isn't
// empty, until stop is called.
func sidestream(t *testing.T, address string, log *adaptertest.Log) (at string, stop func()) {
	t.Helper()
	registry := adapters.NewRegistry(adapters.New("log",
		func() struct{} { return struct{}{} },
		func(struct{}, adapters.Route) (adapters.Factory, error) { return log.Factory(), nil }))
	config, err := proxy.Parse("test.yaml", []byte(`
admin: "off"
drain: {window: 0s}
routes:
  - {path: /events, log: {}, retry: 10ms, linger: 0s}
`), registry, strictyaml.References{Env: os.LookupEnv})
	if err != nil {
		t.Fatal(err)
	}
	if address == "" {
		address = "127.0.0.1:0"
	}
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	server := proxy.New(config, proxy.Settings{Log: zerolog.Nop()})
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx, proxy.Listeners{Public: []proxy.PublicListener{{Listener: ln}}}) }()
	return ln.Addr().String(), func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the other Sidestream: %v", err)
		}
	}
}

func put(log *adaptertest.Log, from, to int) {
	for i := from; i <= to; i++ {
		log.Append(adapters.Event{Data: fmt.Append(nil, i)})
	}
}

// TestChain: a Sidestream that reads from another.
func TestChain(t *testing.T) {
	log := &adaptertest.Log{Name: "log"}
	address, stop := sidestream(t, "", log)
	upstream := &url.URL{Scheme: "http", Host: address}
	s := open(t, upstream, adapters.Env{}, func(o *Options) { o.IDs = idsReplay })

	// follow runs s as the supervisor does, and calls on with what it emits
	// until that returns true, and with failures that pass.
	var reached adapters.Position
	follow := func(on func(word string) bool) error {
		for {
			err := s.Run(t.Context(), reached, func(e adapters.Event) error {
				if e.Position != "" {
					reached = e.Position
				}
				if on(words([]adapters.Event{e})[0]) {
					return errEnoughOf
				}
				return nil
			})
			if u, failed := errors.AsType[*adapters.UpstreamError](err); !failed || u.Permanent || on("failure") {
				return err
			}
		}
	}
	var got []string
	payloads := func(last string) func(string) bool {
		return func(word string) bool {
			if _, data, event := strings.Cut(word, "||"); event {
				got = append(got, data)
			} else if !strings.HasPrefix(word, "live") && word != "failure" {
				t.Errorf("got %q, want nothing but events, live and failures", word)
			}
			return len(got) > 0 && got[len(got)-1] == last
		}
	}

	begun := false
	if err := follow(func(word string) bool {
		if strings.HasPrefix(word, "live") && !begun {
			begun = true
			put(log, 1, 5)
			return false
		}
		return payloads("5")(word)
	}); !errors.Is(err, errEnoughOf) {
		t.Fatal(err)
	}
	put(log, 6, 8) // while nobody listens
	first := reached
	if err := follow(payloads("8")); !errors.Is(err, errEnoughOf) {
		t.Fatal(err)
	}

	// It is restarted while it is read.
	restarted := false
	err := follow(func(word string) bool {
		if strings.HasPrefix(word, "live") && !restarted {
			restarted = true
			stop()
			put(log, 9, 10)
			_, stop = sidestream(t, address, log)
			return false
		}
		return payloads("10")(word)
	})
	if want := strings.Fields("1 2 3 4 5 6 7 8 9 10"); !errors.Is(err, errEnoughOf) || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}

	// Its own upstream fails for a while. It says so or, if it was about to
	// bring the source to where its feed is, hangs up.
	told := []string{}
	failed := false
	err = follow(func(word string) bool {
		if word, _, _ = strings.Cut(word, " at"); word == "live" && !failed {
			failed = true
			log.Fail(adapters.Transient("connection refused", nil))
			return false
		}
		told = append(told, word)
		switch {
		case strings.HasPrefix(word, "stale: "), word == "failure":
			log.Recover()
		case word == "live" && len(told) > 1:
			return true
		}
		return false
	})
	if !errors.Is(err, errEnoughOf) || told[0] == "live" {
		t.Errorf("got %q, %v, want it stale and then live", told, err)
	}

	// What it no longer holds is lost, and goes on where it says.
	log.Expire(9)
	var lost *adapters.PositionLostError
	if _, err := all(t, s, first); !errors.As(err, &lost) || lost.Reason != adapters.LostExpired || lost.Lost != 4 {
		t.Fatalf("got %v, want it expired with 4 events lost", err)
	}
	reached, got = lost.Resume, nil
	if err := follow(payloads("10")); !errors.Is(err, errEnoughOf) || len(got) != 1 {
		t.Errorf("got %q, %v, want 10 alone", got, err)
	}

	log.End()
	if err := follow(func(string) bool { return false }); err != nil {
		t.Errorf("got %v, want the end", err)
	}
	stop()
}
