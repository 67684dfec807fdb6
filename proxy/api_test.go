package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing/synctest"

	"sidestream/adapters"
)

// api is an upstream that answers everybody with the credentials that they
// came with, and has no two of them mixed up. By their value of Authorization
// it can be made to answer otherwise.
type api struct {
	mu      sync.Mutex
	version int
	answers map[string]int // statuses; unanswered for none yet
	running int
	changed chan struct{}
}

const unanswered = -1

func newAPI() *api { return &api{answers: map[string]int{}, changed: make(chan struct{})} }

// answer makes the api answer requests with this Authorization with a status,
// or not at all. 410 is the end.
func (a *api) answer(authorization string, status int) {
	a.change(func() { a.answers[authorization] = status })
	synctest.Wait()
}

// tick makes the api answer everybody anew.
func (a *api) tick() { a.change(func() { a.version++ }) }

func (a *api) change(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
	close(a.changed)
	a.changed = make(chan struct{})
}

func (a *api) look(authorization string) (status, version int, changed <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if status = a.answers[authorization]; status == 0 {
		status = http.StatusOK
	}
	return status, a.version, a.changed
}

// sources returns how many sources of the api are running.
func (a *api) sources() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.running
}

func (a *api) adapter() adapters.Adapter {
	type options struct {
		Forward []string `yaml:"forward"`
	}
	return adapters.New("api", func() options { return options{} },
		func(o options, _ adapters.Route) (adapters.Factory, error) {
			return capable{Factory: apiFactory{a}, can: adapters.Capabilities{Positions: true, Stateful: true, Forward: o.Forward}}, nil
		})
}

type apiFactory struct{ *api }

func (apiFactory) Capabilities() adapters.Capabilities { return adapters.Capabilities{} }

func (f apiFactory) Open(vars adapters.Vars, env adapters.Env) (adapters.Source, error) {
	for name := range vars {
		if _, err := vars.Segment(name); err != nil {
			return nil, err
		}
	}
	return &apiSource{f.api, env.Credentials}, nil
}

type apiSource struct {
	*api
	credentials http.Header
}

func (s *apiSource) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	s.change(func() { s.running++ })
	defer s.change(func() { s.running-- })
	for ctx.Err() == nil {
		status, version, changed := s.look(s.credentials.Get("Authorization"))
		switch status {
		case unanswered:
		case http.StatusOK:
			e := adapters.NewState(adapters.Position(fmt.Sprint("v", version)), "", echo(s.credentials))
			if e.Position != after {
				if err := emit(e); err != nil {
					return err
				}
			}
			after = e.Position
			if err := emit(adapters.Event{Live: true, Position: after}); err != nil {
				return err
			}
		case http.StatusUnauthorized, http.StatusForbidden:
			return fmt.Errorf("poll: %w", &adapters.DeniedError{Status: status, Challenge: []string{`Bearer realm="api"`, "Forged\r\nX-Forged: 1"}})
		case http.StatusGone:
			return nil
		default:
			return adapters.Transient(fmt.Sprint("upstream answered ", status), errors.New("down"))
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// echo is what the api answers to these credentials.
func echo(credentials http.Header) []byte {
	text, err := json.Marshal(credentials)
	if err != nil {
		panic(err) // it is a map of strings
	}
	return text
}

// echoTo is what the api answers to a request with these headers, of which
// the given ones are forwarded.
func echoTo(h http.Header, forwarded ...string) string {
	canonical := http.Header{}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if c := http.CanonicalHeaderKey(name); slices.Contains(forwarded, c) {
			canonical[c] = append(canonical[c], h[name]...)
		}
	}
	return string(echo(canonical))
}
