package adaptertest

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"sidestream/adapters"
)

// checkOpen: opening a source does no I/O and starts nothing, so that it
// works, and at once, whatever the upstream does.
func checkOpen(t *trial) {
	t.checkGrowth("Open", func() { t.open() })
	if t.Fail != nil {
		t.do("fail", t.Fail)
		t.openAtOnce("fails")
		t.do("recover", t.Recover)
	}
	src := t.open()
	t.awaitLive(t.run(src, "", nil))
	if t.Stall != nil {
		t.do("stall", t.Stall)
		t.openAtOnce("does not answer")
	}
}

func (t *trial) openAtOnce(when string) {
	t.Helper()
	opened := make(chan error, 1)
	t.aside.Go(func() {
		_, err := t.Factory.Open(t.Vars, adapters.Env{})
		opened <- err
	})
	select {
	case err := <-opened:
		if err != nil {
			t.Errorf("Open while the upstream %s: got error %v, want none", when, err)
		}
	case <-time.After(prompt):
		t.Errorf("Open while the upstream %s had not returned after %v, want it to do no I/O", when, prompt)
	}
}

// checkIngest: a source that takes requests is declared as one.
func checkIngest(t *trial) {
	if _, got := t.open().(adapters.Receiver); got != t.Ingest {
		t.Errorf("got a source that is a Receiver: %v, want %v as in Capabilities.Ingest", got, t.Ingest)
	}
	if _, got := t.Factory.(adapters.Ingester); got != t.Ingest {
		t.Errorf("got a factory that is an Ingester: %v, want %v as in Capabilities.Ingest", got, t.Ingest)
	}
}

// checkHostile: a variable that no name upstream may hold is refused by Open
// as [adapters.ErrBadVariable].
func checkHostile(t *trial) {
	inAnyName := []string{
		"", "a\rb", "a\nb", "a\r\nb", "a\x00b", "a\x7fb", "\xff\xfe", "a\xc0\xafb",
		strings.Repeat("a", 64<<10),
	}
	inSegment := []string{
		".", "..", "/", "a/b", "../b", "a/..", `a\b`, `..\b`, // "/" is what %2F was
	}
	for _, name := range t.Segments {
		for _, value := range slices.Concat(inAnyName, inSegment) {
			t.refused(adapters.Vars{name: value})
		}
	}
	for _, name := range t.Tokens {
		for _, value := range inAnyName {
			t.refused(adapters.Vars{name: value})
		}
	}
	for _, vars := range t.Hostile {
		t.refused(vars)
	}
}

func (t *trial) refused(hostile adapters.Vars) {
	t.Helper()
	vars := maps.Clone(t.Vars)
	if vars == nil {
		vars = make(adapters.Vars)
	}
	maps.Copy(vars, hostile)
	src, err := t.Factory.Open(vars, adapters.Env{})
	if !errors.Is(err, adapters.ErrBadVariable) || src != nil {
		t.Errorf("Open with %.200q: got source %v, error %v, want none and ErrBadVariable", hostile, src != nil, err)
	}
}
