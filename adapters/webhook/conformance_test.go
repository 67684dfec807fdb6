package webhook

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"sidestream/adapters"
	"sidestream/adapters/adaptertest"
)

func TestConformance(t *testing.T) {
	vars := adapters.Vars{"user": "ann"}
	adaptertest.Run(t, adaptertest.Harness{
		Start: func(tb testing.TB) *adaptertest.Upstream {
			tb.Helper()
			streams := &streams{factory: open(tb, nil, "user"), running: make(map[*stream]bool)}
			return &adaptertest.Upstream{
				Factory: streams,
				Vars:    vars,
				Publish: func(ctx context.Context, i int) error { return streams.publish(ctx, vars["user"], i) },
				Number:  func(e adapters.Event) (int, error) { return strconv.Atoi(string(e.Data)) },
			}
		},
		Hostile: []adapters.Vars{
			{"user": "a\r\nb"}, {"user": "a\x00b"}, {"user": "\xff"}, {"user": strings.Repeat("a", 64<<10)},
		},
	})
}

// streams is a factory that knows which of its sources are run, as the proxy
// does.
type streams struct {
	*factory

	mu      sync.Mutex
	running map[*stream]bool // guarded by mu
}

// A stream is a source that tells when it is run.
type stream struct {
	adapters.Source
	adapters.Receiver
	streams *streams
}

func (s *streams) Open(vars adapters.Vars, env adapters.Env) (adapters.Source, error) {
	src, err := s.factory.Open(vars, env)
	if err != nil {
		return nil, err
	}
	return &stream{src, src.(adapters.Receiver), s}, nil
}

func (s *stream) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	set := func(runs bool) {
		s.streams.mu.Lock()
		defer s.streams.mu.Unlock()
		s.streams.running[s] = runs
	}
	set(true)
	defer set(false)
	return s.Source.Run(ctx, after, emit)
}

func (s *streams) publish(ctx context.Context, user string, i int) error {
	body := strings.NewReader(strconv.Itoa(i))
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/in/"+user, body)
	answer := serve(s.factory, r, s.receive)
	if answer.StatusCode != http.StatusNoContent {
		return fmt.Errorf("status %d: %s", answer.StatusCode, text(answer))
	}
	return nil
}

// receive passes events on to all sources that are run.
func (s *streams) receive(ctx context.Context, _ adapters.Vars, events []adapters.Event) error {
	s.mu.Lock()
	var targets []*stream
	for stream, runs := range s.running {
		if runs {
			targets = append(targets, stream)
		}
	}
	s.mu.Unlock()
	if len(targets) == 0 {
		return errors.New("no source is run")
	}
	for _, target := range targets {
		own := slices.Clone(events)
		for i := range own {
			own[i].Data = slices.Clone(own[i].Data)
			own[i].Headers = maps.Clone(own[i].Headers)
			own[i].Meta = maps.Clone(own[i].Meta)
		}
		if err := target.Receive(ctx, own); err != nil {
			return err
		}
	}
	return nil
}
