package adaptertest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"

	"sidestream/adapters"
)

// follow runs a source of l until the log has nothing more for it and then
// does what else is wanted, in a bubble. It returns what was emitted and what
// Run returned once it was cancelled.
func follow(t *testing.T, l *Log, after adapters.Position, then func()) (got []adapters.Event, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		src, openErr := l.Factory().Open(nil, adapters.Env{})
		if openErr != nil {
			t.Fatalf("Open: got error %v, want none", openErr)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			err = src.Run(ctx, after, func(e adapters.Event) error {
				got = append(got, e)
				return nil
			})
		}()
		synctest.Wait()
		then()
		synctest.Wait()
		cancel()
		<-done
	})
	return got, err
}

func TestLogAssignsPositions(t *testing.T) {
	l := &Log{Name: "orders"}
	e := adapters.Event{Position: "ignored", Type: "order", Key: "k", Data: []byte("1")}
	got, err := follow(t, l, "", func() { l.Append(e, e) })
	e.Position = "orders.0.1"
	second := e
	second.Position = "orders.0.2"
	live := adapters.Event{Position: "orders.0.0", Live: true}
	if want := []adapters.Event{live, e, second}; !reflect.DeepEqual(got, want) {
		t.Errorf("got events %+v, want %+v", got, want)
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
}

// A reader that has the state before it is given the change; one that lacks
// it is given the state that the change leads to.
func TestLogStateInPlaceOfChange(t *testing.T) {
	l := &Log{Name: "doc", Form: Stateful}
	change := func(data, state string) adapters.Event {
		return adapters.Event{
			Type: "patch", Data: []byte(data),
			State: &adapters.State{Type: "document", Data: []byte(state)},
		}
	}
	l.Append(change("+a", "a"))
	got, _ := follow(t, l, "", func() {
		l.Append(change("+b", "ab"))
		synctest.Wait()
		l.AppendSteps(adapters.Event{Type: "step", Data: []byte("+c")}, change("+d", "abcd"))
		synctest.Wait()
		l.AppendSteps(adapters.Event{Type: "step", Data: []byte("+e")}, change("-de", "abc")) // left out
		l.Append(change("+d", "abcd"))
	})
	var list []string
	for _, e := range got {
		list = append(list, e.Type+string(e.Data))
	}
	if want := []string{"documenta", "", "patch+b", "step+c", "patch+d", "documentabcd"}; !reflect.DeepEqual(list, want) {
		t.Errorf("got types and data %q, want %q", list, want)
	}
	l.Expire(100)
	if got, _ := follow(t, l, "", func() {}); len(got) != 2 || string(got[0].Data) != "abcd" {
		t.Errorf("after Expire: got events %+v, want the newest state and a notice", got)
	}
}

func TestLogTellsARunThatItIsOver(t *testing.T) {
	failure := errors.New("down")
	for name, test := range map[string]struct {
		then func(l *Log)
		want error
	}{
		"failed":    {func(l *Log) { l.Fail(failure) }, failure},
		"recreated": {func(l *Log) { l.Recreate() }, adapters.ErrPositionLost},
		"expired":   {func(l *Log) { l.Stall(); l.Append(adapters.Event{}); l.Expire(1); l.Recover() }, adapters.ErrPositionLost},
		"ended":     {func(l *Log) { l.End() }, nil},
	} {
		l := new(Log)
		if _, err := follow(t, l, "", func() { test.then(l) }); !errors.Is(err, test.want) {
			t.Errorf("%s: got error %v, want %v", name, err, test.want)
		}
	}
}

func TestLogCountsRuns(t *testing.T) {
	l := new(Log)
	var during int
	follow(t, l, "", func() { during = l.Running() })
	if after := l.Running(); during != 1 || after != 0 {
		t.Errorf("got %d Runs under way and then %d, want 1 and then 0", during, after)
	}
}
