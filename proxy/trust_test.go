package proxy

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"sidestream/adapters"
	"sidestream/proxy/strictyaml"
)

// trusting returns the trust of a table with these trusted_proxies.
func trusting(t testing.TB, list string) *trust {
	t.Helper()
	config, err := Parse("test.yaml", []byte("{upstream: http://app, trusted_proxies: ["+list+"]}"), adapters.NewRegistry(), strictyaml.References{})
	if err != nil {
		t.Fatal(err)
	}
	return &config.trusted
}

// forwarded are headers of a request by their lines.
func forwarded(lines ...string) http.Header {
	h := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h[name] = append(h[name], value)
	}
	return h
}

func TestSettle(t *testing.T) {
	const proxies = "10.0.0.0/8, 198.51.100.7, fd00::1, unix"
	for _, tt := range []struct {
		name    string
		trusted string
		peer    string
		said    []string // lines of X-Forwarded-For
		client  string   // the RemoteAddr that is wanted
		path    string   // the X-Forwarded-For that is
	}{
		{"nobody in front", proxies, "203.0.113.1:4711", nil, "203.0.113.1:4711", "203.0.113.1"},
		{"IPv6", proxies, "[2001:db8::1]:4711", nil, "[2001:db8::1]:4711", "2001:db8::1"},
		{"forged", proxies, "203.0.113.1:4711", []string{"192.0.2.1"}, "203.0.113.1:4711", "203.0.113.1"},
		{"nobody trusted", "", "10.1.2.3:4711", []string{"192.0.2.1"}, "10.1.2.3:4711", "10.1.2.3"},
		{"by a proxy", proxies, "10.1.2.3:4711", []string{"192.0.2.1"}, "192.0.2.1", "192.0.2.1, 10.1.2.3"},
		{"by one of IPv6", proxies, "[fd00::1]:4711", []string{"2001:db8::1"}, "2001:db8::1", "2001:db8::1, fd00::1"},
		{"by IPv4 written as IPv6", proxies, "[::ffff:10.1.2.3]:4711", []string{"::ffff:192.0.2.1"}, "192.0.2.1", "192.0.2.1, 10.1.2.3"},
		{"by two", proxies, "10.1.2.3:4711", []string{"192.0.2.1, 198.51.100.7"}, "192.0.2.1", "192.0.2.1, 198.51.100.7, 10.1.2.3"},
		{"in two lines", proxies, "10.1.2.3:4711", []string{"192.0.2.1", "10.9.9.9"}, "192.0.2.1", "192.0.2.1, 10.9.9.9, 10.1.2.3"},
		{"with ports and brackets", proxies, "10.1.2.3:4711", []string{"[2001:db8::1]:80,\t10.9.9.9:81 , [fd00::1]"}, "2001:db8::1", "2001:db8::1, 10.9.9.9, fd00::1, 10.1.2.3"},
		{"forged to the left", proxies, "10.1.2.3:4711", []string{"192.0.2.1, 203.0.113.1"}, "203.0.113.1", "203.0.113.1, 10.1.2.3"},
		{"forged in the first line", proxies, "10.1.2.3:4711", []string{"192.0.2.1", "203.0.113.1"}, "203.0.113.1", "203.0.113.1, 10.1.2.3"},
		{"a proxy's address forged to the left", proxies, "10.1.2.3:4711", []string{"192.0.2.1, 10.9.9.9, 203.0.113.1"}, "203.0.113.1", "203.0.113.1, 10.1.2.3"},
		{"rubbish to the left", proxies, "10.1.2.3:4711", []string{"unknown, <script>,, 192.0.2.1"}, "192.0.2.1", "192.0.2.1, 10.1.2.3"},
		{"rubbish to the right", proxies, "10.1.2.3:4711", []string{"192.0.2.1, unknown"}, "10.1.2.3:4711", "10.1.2.3"},
		{"rubbish between", proxies, "10.1.2.3:4711", []string{"192.0.2.1, _hidden, 10.9.9.9"}, "10.9.9.9", "10.9.9.9, 10.1.2.3"},
		{"nothing to the right", proxies, "10.1.2.3:4711", []string{"192.0.2.1,"}, "10.1.2.3:4711", "10.1.2.3"},
		{"a line with nothing", proxies, "10.1.2.3:4711", []string{"192.0.2.1", ""}, "10.1.2.3:4711", "10.1.2.3"},
		{"nobody but proxies", proxies, "10.1.2.3:4711", []string{"10.8.8.8, 10.9.9.9"}, "10.8.8.8", "10.8.8.8, 10.9.9.9, 10.1.2.3"},
		{"as many as are read", proxies, "10.1.2.3:4711", []string{"192.0.2.1" + strings.Repeat(",10.0.0.1", maxHops-1)}, "192.0.2.1", "192.0.2.1" + strings.Repeat(", 10.0.0.1", maxHops-1) + ", 10.1.2.3"},
		{"one too many", proxies, "10.1.2.3:4711", []string{"192.0.2.1" + strings.Repeat(",10.0.0.1", maxHops)}, "10.0.0.1", strings.Repeat("10.0.0.1, ", maxHops) + "10.1.2.3"},
		{"a socket", proxies, "@", []string{"192.0.2.1"}, "192.0.2.1", "192.0.2.1"},
		{"a socket, and a proxy before it", proxies, "@", []string{"192.0.2.1, 10.1.2.3"}, "192.0.2.1", "192.0.2.1, 10.1.2.3"},
		{"a socket that says nothing", proxies, "@", nil, "@", ""},
		{"a socket that isn't trusted", "private", "@", []string{"192.0.2.1"}, "@", ""},
		{"private", "private", "192.168.1.1:4711", []string{"203.0.113.1, 172.31.0.1, 10.0.0.1, fd12::1, fe80::1, 169.254.1.1, 127.0.0.1, ::1"}, "203.0.113.1", "203.0.113.1, 172.31.0.1, 10.0.0.1, fd12::1, fe80::1, 169.254.1.1, 127.0.0.1, ::1, 192.168.1.1"},
		{"beside the private ones", "private", "10.0.0.1:4711", []string{"203.0.113.1, 172.32.0.1"}, "172.32.0.1", "172.32.0.1, 10.0.0.1"},
	} {
		r := &http.Request{RemoteAddr: tt.peer, Header: http.Header{}}
		if tt.said != nil {
			r.Header["X-Forwarded-For"] = tt.said
		}
		trusting(t, tt.trusted).settle(r)
		if r.RemoteAddr != tt.client {
			t.Errorf("%s: got client %q, want %q", tt.name, r.RemoteAddr, tt.client)
		}
		if got := strings.Join(r.Header["X-Forwarded-For"], "\n"); got != tt.path {
			t.Errorf("%s: got X-Forwarded-For %q, want %q", tt.name, got, tt.path)
		}
	}
}

// What else says where a request comes from is believed of the same peers.
func TestSettleHeaders(t *testing.T) {
	said := forwarded(
		"X-Forwarded-Host: shop.example", "X-Forwarded-Proto: https", "X-Forwarded-Port: 443", "X-Forwarded-User: root",
		"Forwarded: for=192.0.2.1", "X-Real-Ip: 192.0.2.1",
		"X_forwarded_for: 192.0.2.9", "X-Forwarded_host: x", "X_real_ip: 192.0.2.9",
		"Accept: text/event-stream", "X-Forward: 1", "X-Real-Ip-2: 1", "Forwarded-By: x", "From: x",
	)
	others := forwarded("Accept: text/event-stream", "X-Forward: 1", "X-Real-Ip-2: 1", "Forwarded-By: x", "From: x")
	for peer, want := range map[string]http.Header{
		"10.0.0.1": forwarded("X-Forwarded-Host: shop.example", "X-Forwarded-Proto: https", "X-Forwarded-Port: 443", "X-Forwarded-User: root",
			"Forwarded: for=192.0.2.1", "X-Real-Ip: 10.0.0.1", "X-Forwarded-For: 10.0.0.1"),
		"11.0.0.1": forwarded("X-Forwarded-For: 11.0.0.1"),
	} {
		maps.Copy(want, others)
		r := &http.Request{RemoteAddr: peer + ":4711", Header: said.Clone()}
		trusting(t, "10.0.0.0/8").settle(r)
		if !maps.EqualFunc(r.Header, want, slices.Equal) {
			t.Errorf("from %s: got %v, want %v", peer, r.Header, want)
		}
	}
}

// X-Real-IP is the client's address as far as trusted proxies tell, whatever
// stands there.
func TestSettleRealIP(t *testing.T) {
	for _, tt := range []struct {
		name, peer string
		said, want http.Header
	}{
		{"said by nobody", "10.0.0.1:1", forwarded(), forwarded("X-Forwarded-For: 10.0.0.1")},
		{"another one", "10.0.0.1:1", forwarded("X-Forwarded-For: 203.0.113.1", "X-Real-Ip: 192.0.2.1"),
			forwarded("X-Forwarded-For: 203.0.113.1, 10.0.0.1", "X-Real-Ip: 203.0.113.1")},
		{"twice", "10.0.0.1:1", forwarded("X-Forwarded-For: 203.0.113.1", "X-Real-Ip: 192.0.2.1", "X-Real-Ip: 192.0.2.2"),
			forwarded("X-Forwarded-For: 203.0.113.1, 10.0.0.1", "X-Real-Ip: 203.0.113.1")},
		{"not there", "10.0.0.1:1", forwarded("X-Forwarded-For: 203.0.113.1"),
			forwarded("X-Forwarded-For: 203.0.113.1, 10.0.0.1", "X-Real-Ip: 203.0.113.1")},
		{"alone", "10.0.0.1:1", forwarded("X-Real-Ip: 192.0.2.1"), forwarded("X-Forwarded-For: 10.0.0.1", "X-Real-Ip: 10.0.0.1")},
		{"no address", "10.0.0.1:1", forwarded("X-Forwarded-For: 203.0.113.1", "X-Real-Ip: <script>"),
			forwarded("X-Forwarded-For: 203.0.113.1, 10.0.0.1", "X-Real-Ip: 203.0.113.1")},
		{"by a socket", "@", forwarded("X-Forwarded-For: 203.0.113.1", "X-Real-Ip: 192.0.2.1"),
			forwarded("X-Forwarded-For: 203.0.113.1", "X-Real-Ip: 203.0.113.1")},
		{"alone, by a socket", "@", forwarded("X-Real-Ip: 192.0.2.1"), forwarded()},
		{"not trusted", "11.0.0.1:1", forwarded("X-Real-Ip: 192.0.2.1"), forwarded("X-Forwarded-For: 11.0.0.1")},
	} {
		r := &http.Request{RemoteAddr: tt.peer, Header: tt.said}
		trusting(t, "10.0.0.0/8, unix").settle(r)
		if !maps.EqualFunc(r.Header, tt.want, slices.Equal) {
			t.Errorf("%s: got %v, want %v", tt.name, r.Header, tt.want)
		}
	}
}

// The application is told who asks, and nothing that a client has made up.
func TestForwardedToTheApplication(t *testing.T) {
	var got http.Header
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	defer app.Close()
	names := []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "Forwarded", "X-Real-Ip"}
	said := forwarded("X-Forwarded-For: 203.0.113.1", "X-Forwarded-Host: shop.example", "X-Forwarded-Proto: https",
		"X-Forwarded-Port: 443", "Forwarded: for=203.0.113.1", "X-Real-Ip: 203.0.113.1")
	for trusted, want := range map[string][]string{
		"":             {"192.0.2.1", "here.example", "http", "", "", ""},
		"203.0.113.1":  {"192.0.2.1", "here.example", "http", "", "", ""},
		"192.0.2.0/24": {"203.0.113.1, 192.0.2.1", "shop.example", "https", "443", "for=203.0.113.1", "203.0.113.1"},
	} {
		config, err := Parse("test.yaml", []byte("{upstream: "+app.URL+", trusted_proxies: ["+trusted+"]}"), adapters.NewRegistry(), strictyaml.References{})
		if err != nil {
			t.Fatal(err)
		}
		s := New(config, Settings{})
		r := httptest.NewRequest(http.MethodGet, "http://here.example/x", http.NoBody) // from 192.0.2.1
		r.Header = said.Clone()
		s.ServeHTTP(httptest.NewRecorder(), r)
		s.transports.closeIdle()
		for i, name := range names {
			if have := strings.Join(got[name], "\n"); have != want[i] {
				t.Errorf("trusted %q: the application got %s: %q, want %q", trusted, name, have, want[i])
			}
		}
	}
}

// Logs and credentials that are forwarded go by the client's address, and a
// reload changes who says it.
func TestTrustIsReloaded(t *testing.T) {
	const trusting = `{trusted_proxies: [unix], routes: [{path: /a, api: {forward: [X-Forwarded-For]}, live_marker: false}]}`
	inWorld(t, trusting, func(w *world) {
		c := w.connect("/a", "X-Forwarded-For: 192.0.2.1")
		c.wants(`v0 {"X-Forwarded-For":["192.0.2.1"]}`)
		w.server.Reload(w.parse(strings.Replace(trusting, "[unix]", "[]", 1)))
		d := w.connect("/a", "X-Forwarded-For: 192.0.2.2")
		d.wants(`v0 {}`)
		c.drop()
		d.drop()
		w.connect("/a", "X-Forwarded-Proto: https").drop()
		log := w.log.String()
		if got := strings.Count(log, `"peer":"pipe","message":"X-Forwarded-* and the like are dropped, since trusted_proxies doesn't name who sends them"`); got != 1 {
			t.Errorf("got %d complaints about headers that are dropped, want 1:\n%s", got, log)
		}
		for _, want := range []string{`"client":"192.0.2.1","resumes":false,"message":"client connected"`, `"client":"pipe","resumes":false,"message":"client connected"`} {
			if !strings.Contains(log, want) {
				t.Errorf("the log lacks %s:\n%s", want, log)
			}
		}
	})
}

// Requests that bring events come from somewhere, too, wherever they come in.
func TestIngestKnowsItsSender(t *testing.T) {
	var from []string
	p := &post{serve: func(_ http.ResponseWriter, r *http.Request) bool {
		from = append(from, r.RemoteAddr)
		return false
	}}
	inPost(t, p, `{trusted_proxies: [unix], routes: [{path: /a, post: {in: /in}}, {path: /b, post: {in: /in, listen: ":1"}}]}`, func(w *world) {
		for _, l := range []*pipeListener{w.public, w.own[":1"]} {
			req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, "http://example.com/in", strings.NewReader("1"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Forwarded-For", "192.0.2.1")
			resp, err := w.client(l).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
	})
	if want := []string{"192.0.2.1", "192.0.2.1"}; !slices.Equal(from, want) {
		t.Errorf("got senders %q, want %q", from, want)
	}
}

// FuzzForwardedFor has anybody write the header. A peer that isn't trusted is
// who it is. Otherwise the client is where a plain reading of the whole header
// ends, all behind it are trusted, and nothing of what is passed on was made
// up.
func FuzzForwardedFor(f *testing.F) {
	f.Add("203.0.113.1:4711", "192.0.2.1, 10.9.9.9", "")
	f.Add("10.1.2.3:4711", "192.0.2.1:80,[2001:db8::1]:80 , fe80::1%eth0,::ffff:10.0.0.1", "10.0.0.9")
	f.Add("10.1.2.3:4711", ",,", ",")
	f.Add("10.1.2.3:4711", "10.0.0.1,10.0.0.2", "10.0.0.3,unknown")
	f.Add("@", "192.0.2.1", "10.1.1.1")
	trusted := trusting(f, "10.0.0.0/8, unix")
	f.Fuzz(func(t *testing.T, peer, first, second string) {
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {first, second}, "Forwarded": {first}}}
		trusted.settle(r)

		at, known := adapters.ParseAddress(peer)
		entries := strings.Split(first+","+second, ",")
		path := []netip.Addr{}
		if known {
			path = append(path, at)
		}
		for i := len(entries) - 1; i >= 0 && len(entries)-i <= maxHops && (!at.IsValid() || at.Is4() && at.As4()[0] == 10); i-- {
			a, ok := adapters.ParseAddress(strings.Trim(entries[i], " \t"))
			if !ok {
				break
			}
			path, at = append([]netip.Addr{a}, path...), a
		}
		var want []string
		for _, a := range path {
			want = append(want, a.String())
		}
		if got := strings.Join(r.Header["X-Forwarded-For"], "\n"); got != strings.Join(want, ", ") {
			t.Errorf("got X-Forwarded-For %q, want %q", got, want)
		}
		client, ok := adapters.ParseAddress(r.RemoteAddr)
		if ok != (len(path) > 0) || ok && client != path[0] {
			t.Errorf("got client %q, want the first of %v", r.RemoteAddr, path)
		}
		if believed := r.Header["Forwarded"] != nil; believed != (!known || path[len(path)-1].Is4() && path[len(path)-1].As4()[0] == 10) {
			t.Errorf("got Forwarded kept %v from %q", believed, peer)
		}
	})
}
