package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// clientAt returns a client with an address of its own, one of loopback's.
func clientAt(t *testing.T, address string) *http.Client {
	t.Helper()
	transport := &http.Transport{
		DialContext:       (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}).DialContext,
		DisableKeepAlives: true,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// from makes a request that claims to come from elsewhere.
func from(t *testing.T, address, method, url, accept string) *http.Response {
	t.Helper()
	req := request(t, method, url)
	for name, value := range map[string]string{
		"X-Forwarded-For": "127.0.0.2", "X-Forwarded-Host": "forged.example", "Forwarded": "for=127.0.0.2",
		"Content-Type": "text/plain", "Accept": accept,
	} {
		req.Header.Set(name, value)
	}
	resp, err := clientAt(t, address).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// What a request says of where it comes from is believed of the proxies that
// the table names, here nginx, and of nobody else: by the application, by a
// webhook, by the bound on the clients of an address, and in the log.
func TestTrustedProxies(t *testing.T) {
	legacy := app(t, func(w http.ResponseWriter, r *http.Request) { _ = json.NewEncoder(w).Encode(r.Header) })
	const table = `
trusted_proxies: [%s]
upstream: %s
limits: {clients_per_address: 2, retry: 7s}
routes:
  - {path: /clock, generate: {}}
  - {path: /hooks, webhook: {verify: {ip: {allow: [127.0.0.2]}}}}
`
	s := serve(t, fmt.Sprintf(table, "127.0.0.1", legacy))
	front := startNginxWith(t, `
		location / {
			proxy_pass `+s.url+`;
			proxy_http_version 1.1;
			proxy_set_header Host $http_host;
			proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
			proxy_set_header X-Forwarded-Host $http_host;
			proxy_set_header X-Forwarded-Proto https;
			proxy_set_header X-Real-IP $remote_addr;
			proxy_set_header Forwarded "";
		}`)

	told := func(address, url string) string {
		t.Helper()
		var h http.Header
		if err := json.NewDecoder(from(t, address, http.MethodGet, url+"/who", "*/*").Body).Decode(&h); err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Forwarded"} {
			list = append(list, strings.Join(h[name], "|"))
		}
		return strings.Join(list, "; ")
	}
	host := strings.TrimPrefix(s.url, "http://")
	throughNginx := "127.0.0.3, 127.0.0.1; " + front.address + "; https; 127.0.0.3; "
	for _, tt := range []struct{ url, want string }{
		{front.url, throughNginx},
		{s.url, "127.0.0.3; " + host + "; http; ; "},
	} {
		if got := told("127.0.0.3", tt.url); got != tt.want {
			t.Errorf("by %s the application was told %q, want %q", tt.url, got, tt.want)
		}
	}

	for _, url := range []string{front.url, s.url} {
		for address, want := range map[string]int{"127.0.0.2": http.StatusNoContent, "127.0.0.3": http.StatusForbidden} {
			if got := from(t, address, http.MethodPost, url+"/hooks", "*/*").StatusCode; got != want {
				t.Errorf("a webhook from %s by %s: got status %d, want %d", address, url, got, want)
			}
		}
	}

	// room reports whether a client got a stream that stays.
	room := func(address, url string) bool {
		t.Helper()
		resp := from(t, address, http.MethodGet, url+"/clock", "text/event-stream")
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("got status %d, want 200", resp.StatusCode)
		}
		line, err := bufio.NewReader(resp.Body).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "retry: 3000\n" {
			return true
		}
		if rest, err := io.ReadAll(resp.Body); err != nil || !strings.HasPrefix(line, "retry: ") || len(rest) > 0 {
			t.Errorf("got %q, %q, %v, want a time to come back, and the end", line, rest, err)
		}
		return false
	}
	for i, tt := range []struct {
		address, url string
		want         bool
	}{
		{"127.0.0.3", front.url, true},
		{"127.0.0.3", s.url, true},
		{"127.0.0.3", front.url, false},
		{"127.0.0.3", s.url, false},
		{"127.0.0.4", front.url, true},
		{"127.0.0.4", front.url, true},
		{"127.0.0.4", s.url, false},
	} {
		if got := room(tt.address, tt.url); got != tt.want {
			t.Errorf("client %d, from %s by %s: got room %v, want %v", i+1, tt.address, tt.url, got, tt.want)
		}
	}
	if got := s.metric(t, `sidestream_disconnects_total{reason="no_room",route="/clock"}`); got != 3 {
		t.Errorf("got %v clients counted as turned away, want 3", got)
	}
	named := map[string]bool{}
	for _, line := range s.logged("client connected") {
		client, _, _ := strings.Cut(fmt.Sprint(line["client"]), ":")
		named[client] = true
	}
	if len(named) != 2 || !named["127.0.0.3"] || !named["127.0.0.4"] {
		t.Errorf("got clients %v in the log, want 127.0.0.3 and 127.0.0.4", named)
	}

	replaceFile(t, s.config, fmt.Sprintf(table, "", legacy))
	s.awaitLog(t, "routing table reloaded", 1)
	if got, want := told("127.0.0.3", front.url), "127.0.0.1; "+front.address+"; http; ; "; got != want {
		t.Errorf("when nginx isn't trusted any more, the application was told %q, want %q", got, want)
	}
}
