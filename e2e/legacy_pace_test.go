package e2e

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// An API says when it wants to be asked again, and that holds, whatever every
// says: for how long is in whole seconds, and up to a tenth is added.
func TestLegacyHeadersSetThePace(t *testing.T) {
	t.Parallel()
	const apart = 1100 * time.Millisecond // clocks of headers have seconds
	type rule struct {
		status int
		header func() []string
		least  time.Duration
	}
	rules := map[string]rule{
		"Retry-After in seconds, 429": {429, func() []string { return []string{"Retry-After", "1"} }, time.Second},
		"Retry-After in seconds, 503": {503, func() []string { return []string{"Retry-After", "1"} }, time.Second},
		"Retry-After as a date, 503": {503, func() []string {
			return []string{"Retry-After", time.Now().Add(apart + time.Second).UTC().Format(http.TimeFormat)}
		}, apart},
		"Cache-Control: max-age": {200, func() []string { return []string{"Cache-Control", "public, max-age=1"} }, time.Second},
		"RateLimit":              {200, func() []string { return []string{"RateLimit", `"default";r=0;t=1`} }, time.Second},
		"RateLimit, draft 7":     {200, func() []string { return []string{"RateLimit", "limit=10, remaining=0, reset=1"} }, time.Second},
		"X-RateLimit":            {429, func() []string { return []string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1"} }, time.Second},
	}
	apis, clients := map[string]*legacyAPI{}, map[string]*client{}
	for name, rule := range rules {
		api := startLegacy(t, says(http.StatusOK, `{"v":1}`))
		s := serve(t, quick+fmt.Sprintf("\nroutes:\n  - {path: /doc, live_marker: false, poll: {url: %s/doc}}\n", api.url))
		c := follow(t, s.url+"/doc")
		c.awaitMessage(t, `{"v":1}`)
		api.answer(func(w http.ResponseWriter, r *http.Request) { says(rule.status, `{"v":1}`, rule.header()...)(w, r) })
		apis[name], clients[name] = api, c
	}
	for name, rule := range rules {
		var asked []legacyRequest
		wait(t, name+": two polls that are apart", func() (any, bool) {
			all := apis[name].requests("")
			asked = all[max(0, len(all)-2):]
			return asked, len(asked) == 2 && asked[1].at.Sub(asked[0].at) >= time.Second
		})
		if got := asked[1].at.Sub(asked[0].ended); got < rule.least-20*time.Millisecond || got > 2*rule.least+time.Second {
			t.Errorf("%s: got polls %v apart, want at least %v", name, got, rule.least)
		}
		apis[name].answer(says(http.StatusOK, `{"v":2}`))
	}
	for name, rule := range rules {
		clients[name].awaitMessage(t, `{"v":2}`)
		want := []string{"message", "message"}
		if rule.status != http.StatusOK {
			want = []string{"message", "stream.stale", "stream.fresh", "message"}
		}
		awaitKinds(t, clients[name], want...)
	}
}

// An interval that adapts is short while there are changes, and grows to its
// longest while there are none.
func TestLegacyAdaptivePace(t *testing.T) {
	t.Parallel()
	var version atomic.Int64
	legacy := startLegacy(t, func(w http.ResponseWriter, r *http.Request) {
		says(http.StatusOK, fmt.Sprintf(`{"v":%d}`, version.Load()))(w, r)
	})
	s := serve(t, quick+fmt.Sprintf("\nroutes:\n  - {path: /doc, poll: {url: %s/doc, every: {min: 50ms, max: 800ms}}}\n", legacy.url))
	c := follow(t, s.url+"/doc")
	gaps := func(all []legacyRequest) (list []time.Duration) {
		for i := range all[1:] {
			list = append(list, all[i+1].at.Sub(all[i].at).Round(time.Millisecond))
		}
		return list
	}
	wait(t, "polls 0.8s apart", func() (any, bool) {
		all := gaps(append([]legacyRequest{{}}, legacy.requests("")...))
		return all, len(all) > 1 && all[len(all)-1] >= 790*time.Millisecond
	})
	quiet := gaps(legacy.requests(""))
	for i := range quiet[1:] {
		if quiet[i+1] < quiet[i]-20*time.Millisecond {
			t.Errorf("got intervals %v while nothing changed, want them to grow", quiet)
		}
	}
	if len(quiet) > 12 {
		t.Errorf("got %d polls until they were 0.8s apart, want about 8: %v", len(quiet), quiet)
	}
	version.Add(1)
	c.awaitMessage(t, `{"v":1}`)
	legacy.answer(func(w http.ResponseWriter, r *http.Request) {
		says(http.StatusOK, fmt.Sprintf(`{"v":%d}`, version.Add(1)))(w, r)
	})
	busy := gaps(legacy.awaitAnswers(t, 6)[1:])
	for _, gap := range busy[1:] {
		if gap > 300*time.Millisecond {
			t.Errorf("got intervals %v while everything changes, want 50ms", busy)
		}
	}
	t.Logf("quiet %v, busy %v", quiet, busy)
}

// always: the state is known before anybody asks for it, and the first client
// has it at once.
func TestLegacyAlways(t *testing.T) {
	legacy := startLegacy(t, says(http.StatusOK, `{"v":1}`))
	s := serve(t, quick+fmt.Sprintf("\nroutes:\n  - {path: /doc, poll: {url: %s/doc, always: true}}\n", legacy.url))
	legacy.awaitAnswers(t, 5)
	s.awaitLog(t, "polled", 5)
	// The API is silent when the first client comes.
	legacy.answer(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	wait(t, "a request that is held", func() (any, bool) {
		all := legacy.requests("")
		return len(all), all[len(all)-1].ended.IsZero()
	})
	from := time.Now()
	c := follow(t, s.url+"/doc")
	c.awaitMessage(t, `{"v":1}`)
	t.Logf("the state after %v", time.Since(from))
	awaitKinds(t, c, "message", "stream.live")
	legacy.answer(says(http.StatusOK, `{"v":2}`))
}

// A budget holds over all keys and routes of a host, and no key is left out.
func TestLegacyBudget(t *testing.T) {
	t.Parallel()
	const keys, rate, span = 50, 20, 4 * time.Second
	legacy := startLegacy(t, func(w http.ResponseWriter, r *http.Request) {
		says(http.StatusOK, fmt.Sprintf(`{"at":%d}`, time.Now().UnixNano()))(w, r)
	})
	s := serve(t, quick+fmt.Sprintf(`
routes:
  - {path: "/a/{id}", poll: {url: "%[1]s/a/{id}", every: 100ms, budget: {rate: %[2]d}}}
  - {path: "/b/{id}", poll: {url: "%[1]s/b/{id}", every: 100ms}}
`, legacy.url, rate))
	from := time.Now()
	for i := range keys {
		follow(t, fmt.Sprintf("%s/%c/%d", s.url, 'a'+i%2, i))
	}
	waitFor(t, 2*span, "the end of a span of time", func() (any, bool) { return time.Since(from), time.Since(from) > span })
	all := legacy.requests("")
	turns := map[string]int{}
	for i, r := range all {
		turns[r.uri]++
		// Requests in the second that begins here: on arrival they bunch a little.
		n := 0
		for _, later := range all[i:] {
			if later.at.Sub(r.at) < time.Second {
				n++
			}
		}
		if n > rate+4 {
			t.Fatalf("got %d requests within a second, want %d", n, rate)
		}
	}
	if most := int(span.Seconds()+1) * rate; len(all) > most || len(all) < most*2/3 {
		t.Errorf("got %d requests in %v, want about %d", len(all), span, int(span.Seconds())*rate)
	}
	least, most := len(all), 0
	for i := range keys {
		n := turns[fmt.Sprintf("/%c/%d", 'a'+i%2, i)]
		least, most = min(least, n), max(most, n)
	}
	if least < 1 || most > least+2 {
		t.Errorf("got between %d and %d turns for a key, want about the same for each", least, most)
	}
	t.Logf("%d requests in %v, %d to %d of each key", len(all), span, least, most)
}
