package kafka

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"sidestream/adapters"
)

func names(x adapters.Explanation) []string {
	var all []string
	for _, s := range x.Steps {
		all = append(all, s.Name)
	}
	return all
}

func TestExplain(t *testing.T) {
	t.Parallel()
	k := startFake(t, 2, kfake.NumBrokers(2))
	var all []string
	for i := range 30 {
		all = append(all, fmt.Sprintf("%d-%d", i%2, i))
	}
	k.fill(t, all...)
	k.trim(t, 1, 3)
	s := k.source(t, nil)
	for _, run := range []bool{false, true} {
		x, err := s.Explain(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"connection", "read"}
		events := 0
		if run {
			want, events = append(want, "cluster", "state"), maxSample
		}
		if got := names(x); !slices.Equal(got, want) {
			t.Errorf("run: %t: got the steps %v, want %v", run, got, want)
		}
		if len(x.Events) != events {
			t.Errorf("run: %t: got %d events, want %d", run, len(x.Events), events)
		}
		for _, step := range x.Steps {
			if step.Text == "" {
				t.Errorf("run: %t: got no text of %s, want some", run, step.Name)
			}
		}
	}
	x, err := s.Explain(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	state := x.Steps[3].Text
	for _, want := range []string{topicName + ", partition 0: offsets 0 to 15, led by broker ", topicName + ", partition 1: offsets 3 to 15, led by broker "} {
		if !strings.Contains(state, want) {
			t.Errorf("got %q, want %q in it", state, want)
		}
	}
	if brokers := x.Steps[2].Text; strings.Count(brokers, "\n") != 1 || !strings.Contains(brokers, "broker 1 at ") {
		t.Errorf("got %q, want both brokers", brokers)
	}
}

// Without asking there is an explanation even if nothing can be asked, and with
// it what was found out until it failed.
func TestExplainFails(t *testing.T) {
	t.Parallel()
	k := startFake(t, 1)
	s := k.source(t, nil)
	k.gate.close()
	if x, err := s.Explain(t.Context(), false); err != nil || len(x.Steps) != 2 {
		t.Errorf("got %d steps, %v, want 2 and no error", len(x.Steps), err)
	}
	x, err := s.Explain(t.Context(), true)
	if err == nil || len(x.Steps) != 2 {
		t.Errorf("got %d steps, %v, want 2 and an error", len(x.Steps), err)
	}
	k.gate.open()
	k.remove(t, topicName)
	x, err = s.Explain(t.Context(), true)
	if !adapters.IsPermanent(err) || len(x.Steps) != 2 {
		t.Errorf("got %d steps, %v, want 2 and a permanent failure", len(x.Steps), err)
	}
}

// Of many partitions some are shown.
func TestExplainMany(t *testing.T) {
	t.Parallel()
	k := startFake(t, maxShown+5)
	x, err := k.source(t, nil).Explain(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if state := x.Steps[3].Text; !strings.HasSuffix(state, "and 5 more partitions") {
		t.Errorf("got %q, want it to end with what isn't shown", state)
	}
}
