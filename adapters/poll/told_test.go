package poll

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
)

// TestPausedHost: while the host is to be left alone, for another one's sake,
// clients are told, and the poll is made once that is over.
func TestPausedHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		epoch := time.Now()
		busy := newTestSource(script(func(*http.Request) (*http.Response, error) {
			if time.Since(epoch) > 30*time.Second {
				return reply(http.StatusOK, "1"), nil
			}
			resp := reply(http.StatusTooManyRequests, "")
			resp.Header.Set("Retry-After", "3600")
			return resp, nil
		}), nil)
		source, err := busy.Open(nil, adapters.Env{})
		if err != nil {
			t.Fatal(err)
		}
		other := source.(*stateSource)
		wantReason(t, fail(t, busy), "upstream answered 429")
		wantReason(t, fail(t, other), errPaused.Error())
		if r := other.Report(); r.Why != "host paused" || !r.Next.After(time.Now()) {
			t.Errorf("got report %+v, want the pause in it", r)
		}
		take(t, other, "", 1)
		if took := time.Since(epoch); took < maxPausedFor || took > maxPausedFor+time.Second {
			t.Errorf("got the state after %v, want it once the others have waited, after %v", took, maxPausedFor)
		}
	})
}

// maxPausedFor is how long others wait at most for what one is told.
const maxPausedFor = time.Minute

// TestForm: a client that has the state in another form is sent it again, in
// every emit that has states.
func TestForm(t *testing.T) {
	for _, emit := range []Emit{emitSnapshot, emitPatch, emitItems, emitRaw} {
		rt := script(func(*http.Request) (*http.Response, error) { return reply(http.StatusOK, `[{"id":1}]`), nil })
		open := func(form string) adapters.Source {
			s, err := newTestSource(rt, func(o *Options) {
				often(o)
				if o.Emit = emit; emit == emitItems {
					o.Items.Key = ".id"
				}
			}).Open(nil, adapters.Env{Form: form})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		had := take(t, open("a"), "", 1)[0].Position
		for form, again := range map[string]bool{"a": false, "b": true, "": true} {
			if e := take(t, open(form), had, 1)[0]; e.Live == again {
				t.Errorf("%s in form %q: got live %v, want the state %v", emit, form, e.Live, again)
			}
		}
	}
}
