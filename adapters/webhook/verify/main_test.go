package verify

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sidestream/adapters"
	"sidestream/adapters/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// verifier returns the verifier of options that must be good, at a time in
// seconds since 1970.
func verifier(tb testing.TB, o Options, at int64) *Verifier {
	tb.Helper()
	var c adapters.OptionErrors
	o.Check(&c, "verify")
	if err := c.Err(); err != nil {
		tb.Fatalf("got %v, want good options", err)
	}
	v := New(&o)
	v.now = func() time.Time { return time.Unix(at, 0) }
	return v
}

// request returns a POST request with these headers, in pairs.
func request(target string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, target, http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// texts returns secrets.
func texts(list ...string) []secret.Value {
	values := make([]secret.Value, len(list))
	for i, text := range list {
		values[i] = secret.Text(text)
	}
	return values
}

// inFile returns a secret that is in a new file.
func inFile(tb testing.TB, content string) secret.Value {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
	return secret.Value{File: path}
}

// accepts checks that a request is genuine.
func accepts(tb testing.TB, what string, v *Verifier, r *http.Request, body string) {
	tb.Helper()
	if err := v.Verify(r, []byte(body)); err != nil {
		var refused *Refusal
		if errors.As(err, &refused) {
			tb.Errorf("%s: refused since %s, want it to be accepted", what, refused.Why)
			return
		}
		tb.Errorf("%s: got %v, want it to be accepted", what, err)
	}
}

// refuses checks that a request is refused, in the words that are the same for
// all, and returns why.
func refuses(tb testing.TB, what string, v *Verifier, r *http.Request, body string) string {
	tb.Helper()
	err := v.Verify(r, []byte(body))
	var refused *Refusal
	if !errors.As(err, &refused) {
		tb.Errorf("%s: got %v, want it to be refused", what, err)
		return ""
	}
	if refused.Error() != "the request is not authorized" || refused.Status != v.status || refused.Why == "" {
		tb.Errorf("%s: got %d %q, since %q, want %d, no detail, and a reason", what, refused.Status, refused, refused.Why, v.status)
	}
	if (refused.Status == http.StatusUnauthorized) != (len(refused.Challenge) > 0) {
		tb.Errorf("%s: got status %d with challenge %q, want one with 401 only", what, refused.Status, refused.Challenge)
	}
	return refused.Why
}

// cannotTell checks that there is no telling whether a request is genuine.
func cannotTell(tb testing.TB, what string, v *Verifier, r *http.Request, body, want string) {
	tb.Helper()
	err := v.Verify(r, []byte(body))
	var upstream *adapters.UpstreamError
	if !errors.As(err, &upstream) || upstream.Permanent || !strings.Contains(err.Error(), want) {
		tb.Errorf("%s: got %v, want a transient failure with %q in it", what, err, want)
	}
}

// replace writes a file anew.
func replace(tb testing.TB, path, content string) {
	tb.Helper()
	if err := os.WriteFile(path+".next", []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(path+".next", path); err != nil {
		tb.Fatal(err)
	}
}
