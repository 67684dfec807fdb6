package httpclient

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"sidestream/adapters"
	"sidestream/adapters/secret"
	"sidestream/adapters/tlsfiles/tlstest"
)

// to returns a handler that redirects everything but /end.
func to(status int, location string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/end" {
			ok(w, r)
			return
		}
		w.Header().Set("Location", location)
		w.WriteHeader(status)
		io.WriteString(w, hidden)
	}
}

// credentialed are options with a header and a token.
func credentialed(redirects Redirects) func(*Options) {
	return func(o *Options) {
		bearer := secret.Text("token-" + hidden)
		o.Auth.Bearer, o.Headers, o.Redirects = &bearer, map[string]secret.Value{"X-Key": secret.Text(hidden), "Host": secret.Text("legacy.test")}, redirects
	}
}

var (
	forwarded  = http.Header{"Cookie": {"session=" + hidden}}
	allSecrets = map[string]string{"Authorization": "Bearer token-" + hidden, "X-Key": hidden, "Cookie": "session=" + hidden}
	noSecrets  = map[string]string{"Authorization": "", "X-Key": "", "Cookie": ""}
)

func TestRedirectOnHost(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		got, server := serve(t, to(status, "/end?x=1"))
		resp, body := get(t, newClient(t, credentialed(redirectsSameHost)), server, forwarded)
		equal(t, "body", body, "ok")
		equal(t, "final URL", resp.Request.URL.String(), server+"/end?x=1")
		for _, r := range got.all() {
			want(t, r.URL.Path, r.Header, allSecrets)
			equal(t, "host", r.Host, "legacy.test")
		}
	}
}

func TestRedirectRefused(t *testing.T) {
	_, other := serve(t, ok)
	for name, location := range map[string]string{
		"another port":   other + "/end",
		"another host":   "http://other.test/end",
		"another scheme": "ftp://127.0.0.1/end",
		"no host":        "http:///end",
		"opaque":         "http:end",
	} {
		_, server := serve(t, to(302, location))
		err := fails(t, newClient(t, credentialed(redirectsSameHost)), server)
		if !errors.Is(err, ErrElsewhere) {
			t.Errorf("%s: got %v, want %v", name, err, ErrElsewhere)
		}
		equal(t, "reason", adapters.Reason(err), "upstream redirected elsewhere")
	}
}

func TestRedirectWithUserInfoIsRefused(t *testing.T) {
	_, server := serve(t, func(w http.ResponseWriter, r *http.Request) { to(302, "//a:"+hidden+"@"+r.Host+"/end")(w, r) })
	for _, redirects := range []Redirects{redirectsSameHost, redirectsAny} {
		err := fails(t, newClient(t, func(o *Options) { o.Redirects = redirects }), server)
		equal(t, string(redirects), err, ErrElsewhere)
	}
}

func TestSameHost(t *testing.T) {
	for _, tc := range []struct {
		from, to string
		same     bool
	}{
		{"http://a", "http://a/x", true},
		{"http://a", "http://A:80", true},
		{"https://a:443", "https://a", true},
		{"http://a:8080", "https://a:8443", true},
		{"http://a", "http://a:8080", false},
		{"https://a", "http://a", false},
		{"https://a:8080", "http://a:8080", false},
		{"http://a", "http://a.b", false},
		{"http://a", "https://b", false},
	} {
		if got := sameHost(parse(t, tc.from), parse(t, tc.to)); got != tc.same {
			t.Errorf("from %s to %s: got %v, want %v", tc.from, tc.to, got, tc.same)
		}
	}
}

func TestRedirectsNone(t *testing.T) {
	got, server := serve(t, to(302, "/end"))
	resp, body := get(t, newClient(t, credentialed(redirectsNone)), server, nil)
	equal(t, "status", resp.StatusCode, 302)
	equal(t, "body", body, hidden)
	equal(t, "requests", len(got.all()), 1)
}

func TestRedirectWithoutLocation(t *testing.T) {
	_, server := serve(t, to(302, ""))
	resp, _ := get(t, newClient(t, nil), server, nil)
	equal(t, "status", resp.StatusCode, 302)
}

func TestRedirectsTooOften(t *testing.T) {
	got, server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(strings.Trim(r.URL.Path, "/"))
		if n < 3 {
			http.Redirect(w, r, "/"+strconv.Itoa(n+1), http.StatusFound)
		}
	})
	get(t, newClient(t, func(o *Options) { o.MaxRedirects = 3 }), server, nil)
	equal(t, "requests", len(got.all()), 4)
	err := fails(t, newClient(t, func(o *Options) { o.MaxRedirects = 2 }), server)
	if !errors.Is(err, ErrRedirects) {
		t.Errorf("got %v, want %v", err, ErrRedirects)
	}

	looped, loop := serve(t, to(307, "/loop"))
	err = fails(t, newClient(t, nil), loop)
	equal(t, "reason", adapters.Reason(err), "upstream redirected too often")
	equal(t, "requests of a loop", len(looped.all()), 6)
}

// TestRedirectsElsewhere follows a chain that leaves the host, goes on there,
// and comes back: from the first step away on, nothing secret is sent.
func TestRedirectsElsewhere(t *testing.T) {
	var home string // set before the first request
	away, awayURL := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/on" {
			to(302, home+"/end")(w, r)
			return
		}
		to(302, "/on")(w, r)
	})
	got, home := serve(t, to(302, awayURL))
	_, body := get(t, newClient(t, credentialed(redirectsAny)), home, forwarded)
	equal(t, "body", body, "ok")
	requests := got.all()
	equal(t, "requests", len(requests), 2)
	want(t, "first", requests[0].Header, allSecrets)
	equal(t, "requests away", len(away.all()), 2)
	for _, r := range away.all() {
		want(t, "away "+r.URL.Path, r.Header, noSecrets)
		equal(t, "host", "http://"+r.Host, awayURL)
	}
	want(t, "back", requests[1].Header, noSecrets)
}

func TestRedirectAcrossSchemes(t *testing.T) {
	var plainURL string
	got, secured := record(func(w http.ResponseWriter, r *http.Request) { to(302, plainURL+"/end")(w, r) })
	secured.StartTLS()
	defer secured.Close()
	ca := write(t, "ca.pem", certificatePEM(secured))
	plain, plainURL := serve(t, to(302, secured.URL+"/end"))
	options := func(redirects Redirects) func(*Options) {
		return func(o *Options) {
			credentialed(redirects)(o)
			o.TLS.CA = ca
		}
	}

	get(t, newClient(t, options(redirectsSameHost)), plainURL, forwarded)
	want(t, "http to https", got.last(t).Header, allSecrets)

	err := fails(t, newClient(t, options(redirectsSameHost)), secured.URL)
	equal(t, "https to http", err, ErrElsewhere)

	get(t, newClient(t, options(redirectsAny)), secured.URL, forwarded)
	want(t, "https to http, anywhere", plain.last(t).Header, noSecrets)
}

func TestRedirectedBody(t *testing.T) {
	for _, tc := range []struct {
		status             int
		method             string
		wantMethod, wanted string
	}{
		{301, "POST", "GET", ""},
		{302, "PUT", "GET", ""},
		{303, "POST", "GET", ""},
		{303, "HEAD", "HEAD", ""},
		{307, "POST", "POST", "payload"},
		{308, "PUT", "PUT", "payload"},
	} {
		var method, body, contentType string
		_, server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			method, body, contentType = r.Method, string(b), r.Header.Get("Content-Type")
			to(tc.status, "/end")(w, r)
		})
		req := request(t, tc.method, server, strings.NewReader("payload"))
		req.Header.Set("Content-Type", "text/plain")
		do(t, newClient(t, nil), req, nil)
		equal(t, "method", method, tc.wantMethod)
		equal(t, "body", body, tc.wanted)
		equal(t, "has a content type", contentType != "", tc.wanted != "")
	}
}

func TestRedirectedBodyThatCannotBeRepeated(t *testing.T) {
	_, server := serve(t, to(307, "/end"))
	req := request(t, http.MethodPost, server, io.MultiReader(strings.NewReader(hidden)))
	_, err := newClient(t, nil).Do(req, nil, nil)
	if !errors.Is(err, errBody) {
		t.Errorf("got %v, want %v", err, errBody)
	}
}

// TestPrepare makes each request conditional by its own URL.
func TestPrepare(t *testing.T) {
	got, server := serve(t, to(302, "/end"))
	req := request(t, http.MethodGet, server, nil)
	req.Header.Set("If-Match", `"caller"`)
	resp, err := newClient(t, nil).Do(req, nil, func(r *http.Request) {
		r.Header.Set("If-None-Match", `"`+r.URL.Path+`"`)
	})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	requests := got.all()
	want(t, "first", requests[0].Header, map[string]string{"If-None-Match": `""`, "If-Match": `"caller"`})
	want(t, "redirected", requests[1].Header, map[string]string{"If-None-Match": `"/end"`, "If-Match": ""})
	want(t, "resp.Request", resp.Request.Header, map[string]string{"If-None-Match": `"/end"`})
	want(t, "the caller's", req.Header, map[string]string{"If-None-Match": ""})

	resp, err = newClient(t, nil).Do(req, nil, func(r *http.Request) {
		if r.URL.Path == "" {
			r.Header.Set("If-None-Match", `"first"`)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	want(t, "conditions of the first URL", got.last(t).Header, map[string]string{"If-None-Match": ""})
}

func certificatePEM(s *httptest.Server) string {
	return tlstest.PEM("CERTIFICATE", s.Certificate().Raw)
}
