package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sidestream/proxy/eventstream"
)

// secret is part of all credentials and of all private data.
const secret = "hush"

// A vault is an API that answers each caller with the caller's own
// credentials and data, another one each time, and without credentials
// with 401.
type vault struct {
	mu     sync.Mutex
	asked  map[string][]time.Time // by callers
	status map[string]int         // of callers that are refused; 1: the connection breaks
}

func newVault(tb testing.TB) (v *vault, url string) {
	tb.Helper()
	v = &vault{asked: map[string][]time.Time{}, status: map[string]int{}}
	return v, app(tb, v.serve)
}

func (v *vault) serve(w http.ResponseWriter, r *http.Request) {
	who := caller(r.Header).who()
	v.mu.Lock()
	v.asked[who] = append(v.asked[who], time.Now())
	n, status := len(v.asked[who]), v.status[who]
	v.mu.Unlock()
	if r.Header["Authorization"] == nil && r.Header["Cookie"] == nil {
		status = http.StatusUnauthorized
	}
	switch status {
	case 0:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"who": who, "balance": secret, "n": n})
	case 1:
		panic(http.ErrAbortHandler)
	default:
		w.Header().Set("WWW-Authenticate", `Bearer realm="vault"`)
		http.Error(w, secret, status)
	}
}

// answer makes the vault answer a caller with a status from now on.
func (v *vault) answer(c caller, status int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.status[c.who()] = status
}

// times returns when it was asked by a caller.
func (v *vault) times(c caller) []time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.asked[c.who()])
}

// A caller is whoever has these headers.
type caller http.Header

// who names a caller: no two of them alike.
func (c caller) who() string {
	return encoded([]any{c["Authorization"], c["Cookie"]})
}

func bearer(token string) caller { return caller{"Authorization": {"Bearer " + secret + token}} }

// callers are those whose credentials are most alike.
func callers(i int) []caller {
	x := fmt.Sprintf("%s%s%d", secret, strings.Repeat("a", 40), i)
	return []caller{
		{"Authorization": {x}},
		{"Authorization": {x + "a"}},
		{"Authorization": {strings.ToUpper(x)}},
		{"Cookie": {x}},
		{"Authorization": {""}, "Cookie": {x}},
		{"Authorization": {x}, "Cookie": {""}},
		{"Authorization": {x}, "Cookie": {x}},
		{"Authorization": {x, x}},
		{"Authorization": {x, "b"}},
		{"Authorization": {"b", x}},
		{"Authorization": {x + ", " + x}},
		{"Cookie": {"a=1; session=" + x}},
		{"Cookie": {"session=" + x + "; a=1"}},
		{"Authorization": {x + "Cookie"}, "Cookie": {"b"}},
		{"Authorization": {x}, "Cookie": {"Cookieb"}},
		{"Authorization": {"Basic " + x}, "Cookie": {"a=1; a=1"}},
	}
}

// call asks for /vault as the caller, with the id, if there is one. Over
// HTTP/1.1, which a nil transport is, names of headers are in any case and
// order.
func (c caller) call(t *testing.T, s *sidestream, shared *http.Transport, id string) (resp *http.Response, hangUp func()) {
	t.Helper()
	req := request(t, http.MethodGet, s.url+"/vault")
	req.Header = http.Header(c).Clone()
	req.Header.Set("Accept", "text/event-stream")
	if id != "" {
		req.Header.Set("Last-Event-ID", id)
	}
	if shared != nil {
		resp, err := shared.RoundTrip(req)
		if err != nil {
			return nil, func() {}
		}
		return resp, func() { _ = resp.Body.Close() }
	}
	names := slices.Collect(maps.Keys(req.Header))
	rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	var fields strings.Builder
	for _, name := range names {
		for _, value := range req.Header[name] { // whose order counts
			spelt := []string{name, strings.ToLower(name), strings.ToUpper(name)}[rand.IntN(3)]
			fields.WriteString(spelt + ": " + value + "\r\n")
		}
	}
	conn, err := net.Dial("tcp", req.URL.Host)
	if err != nil {
		return nil, func() {}
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = fmt.Fprintf(conn, "GET /vault HTTP/1.1\r\nHost: a\r\n%s\r\n", fields.String())
	resp, err = http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		_ = conn.Close()
		return nil, func() {}
	}
	return resp, func() { _ = conn.Close() }
}

// listen reads a stream until there are n documents or it ends. It returns
// the last id, and what was wrong.
func (c caller) listen(body io.Reader, n int) (id string, wrong error) {
	dec := eventstream.NewDecoder(body, nil)
	for n > 0 {
		e, end := dec.Next()
		if end != nil {
			return id, nil //nolint:nilerr // a stream may end
		}
		if e.Type != "message" {
			if strings.Contains(string(e.Data), secret) {
				return id, fmt.Errorf("got %s with %q, want no data there", e.Type, e.Data)
			}
			continue
		}
		n--
		id = e.ID
		var doc struct{ Who string }
		if json.Unmarshal(e.Data, &doc) != nil || doc.Who != c.who() {
			return id, fmt.Errorf("got %q, want only what is for %s", e.Data, c.who())
		}
	}
	return id, nil
}

func vaultTable(url, every, more string) string {
	return fmt.Sprintf(`
upstream: %s
drain: {window: 50ms, timeout: 1s}
defaults: {retry: 50ms, linger: 100ms, backoff: {min: 20ms, max: 100ms}}
routes:
  - path: /vault
    max_streams: 5000
    poll: {every: %s, jitter: 0, forward: [Authorization, Cookie], budget: {in_flight: 100}}
    %s
`, url, every, more)
}

// R11: thousands of callers whose credentials are as alike as can be come, are
// cut off and come back with ids of their own and of others, over HTTP/1.1
// and over connections of HTTP/2 that they share, while the table is loaded
// again and the API fails for some. Nobody ever gets a byte that is for
// another.
func TestPrincipalsApart(t *testing.T) {
	const sets = 150 // of 16 callers
	v, url := newVault(t)
	s := serve(t, vaultTable(url, "100ms", "max_principals: 5000"))
	shared := transportFor(t, "HTTP/2")
	var mu sync.Mutex
	ids, documents, silent := []string{""}, 0, 0
	end := make(chan struct{})
	var reloads sync.WaitGroup
	reloads.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-end:
				return
			case <-time.After(500 * time.Millisecond): // a bounded load, not a wait
			}
			replaceFile(t, s.config, vaultTable(url, fmt.Sprintf("%dms", 100+i%5), "max_principals: 5000"))
			_ = s.cmd.Process.Signal(syscall.SIGHUP)
		}
	})
	each(sets-1, 24, func(i int) {
		list := callers(i)
		if i%10 == 0 {
			v.answer(list[0], 1)
			v.answer(list[1], http.StatusInternalServerError)
		}
		var together sync.WaitGroup
		for j, c := range list {
			for visit := range 2 {
				together.Go(func() {
					transport := shared
					if (i+j+visit)%2 == 0 || slices.Equal(c["Cookie"], []string{""}) {
						transport = nil // over HTTP/2, Go's client doesn't send an empty Cookie
					}
					id := ""
					for range 2 {
						resp, hangUp := c.call(t, s, transport, id)
						if resp == nil || resp.StatusCode != http.StatusOK {
							t.Errorf("got %v, want a stream", resp)
							hangUp()
							return
						}
						limit := int64(1 + rand.IntN(2000))
						if i%10 == 0 && j < 2 {
							limit = 10 // nothing more will come
						}
						had, err := c.listen(io.LimitReader(resp.Body, limit), 2)
						hangUp()
						if err != nil {
							t.Error(err)
						}
						mu.Lock()
						if had != "" {
							ids = append(ids, had)
							documents++
						} else {
							silent++
						}
						id = ids[rand.IntN(len(ids))]
						mu.Unlock()
					}
				})
			}
		}
		together.Wait()
	})
	close(end)
	reloads.Wait()
	t.Logf("%d callers, %d visits with documents and %d cut before that, %v reloads",
		16*sets, documents, silent, s.metric(t, `sidestream_config_reloads_total{result="success"}`))
	if documents < 16*sets {
		t.Errorf("got documents on %d visits, want them on most", documents)
	}
	nothingTold(t, s)
}

// X8, R11: each principal costs one poll an interval, however many clients it
// has, over whatever protocol.
func TestPrincipalsPolledOnce(t *testing.T) {
	const (
		principals, clients = 60, 5
		every, watched      = 300 * time.Millisecond, 2 * time.Second
	)
	v, url := newVault(t)
	s := serve(t, vaultTable(url, every.String(), ""))
	shared := transportFor(t, "HTTP/2")
	each(principals-1, principals, func(i int) {
		c := caller{"Authorization": {fmt.Sprint(secret, i)}, "Cookie": {"b=" + secret + "; a=1"}}
		bodies := make([]io.Reader, clients)
		for k := range bodies {
			transport := shared
			if k%2 == 0 {
				transport = nil
			}
			resp, hangUp := c.call(t, s, transport, "")
			defer hangUp()
			if resp == nil {
				t.Error("got no answer, want a stream")
				return
			}
			bodies[k] = resp.Body
		}
		before := len(v.times(c))
		began := time.Now()
		for time.Since(began) < watched {
			for _, body := range bodies {
				if _, err := c.listen(body, 1); err != nil {
					t.Error(err)
				}
			}
		}
		if got, most := len(v.times(c))-before, int(time.Since(began)/every)+1; got > most || got < most/2 {
			t.Errorf("got %d polls of a principal with %d clients in %v, want one each %v", got, clients, time.Since(began), every)
		}
	})
	nothingTold(t, s)
}

// nothingTold checks that the program has said nothing of credentials and of
// what they open, in its log and to whoever operates it.
func nothingTold(t *testing.T, s *sidestream) {
	t.Helper()
	texts := map[string]string{"the log": s.output.String()}
	for _, path := range []string{"/metrics", "/readyz", "/streams?limit=1000", "/healthz"} {
		_, body, err := fetch(s.admin + path)
		if err != nil {
			t.Fatal(err)
		}
		texts[path] = body
	}
	for where, text := range texts {
		if at := strings.Index(strings.ToLower(text), secret); at >= 0 {
			t.Errorf("got credentials or private data in %s, want none: %.200q", where, text[max(0, at-100):])
		}
	}
}
