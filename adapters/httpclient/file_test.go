package httpclient

import (
	"net/http"
	"path/filepath"
	"testing"

	"sidestream/adapters"
	"sidestream/adapters/secret"
)

func TestHeaderFromFile(t *testing.T) {
	got, server := serve(t, ok)
	path := filepath.Join(t.TempDir(), "key")
	c := newClient(t, func(o *Options) { o.Headers = map[string]secret.Value{"X-Key": {File: path}} })
	err := fails(t, c, server, "headers.X-Key: ", path, "no such file")
	equal(t, "reason", adapters.Reason(err), secret.ReasonUnavailable)
	write(t, path, hidden+"\n\n")
	err = fails(t, c, server, "headers.X-Key: ", "control character")
	equal(t, "reason", adapters.Reason(err), secret.ReasonUnavailable)
	for _, key := range []string{"one", "two"} {
		write(t, path, key+"\n")
		get(t, c, server, nil)
		want(t, "header", got.last(t).Header, map[string]string{"X-Key": key})
	}
}

func TestBasicFromFiles(t *testing.T) {
	got, server := serve(t, ok)
	user, password := write(t, "user", "app\n"), write(t, "password", "pass:word\n")
	c := newClient(t, func(o *Options) {
		o.Auth.Basic = &Basic{User: secret.Value{File: user}, Password: secret.Value{File: password}}
	})
	check := func(wantUser, wantPassword string) {
		t.Helper()
		get(t, c, server, nil)
		u, p, _ := got.last(t).BasicAuth()
		equal(t, "user", u, wantUser)
		equal(t, "password", p, wantPassword)
	}
	check("app", "pass:word")
	write(t, user, "next")
	write(t, password, "other")
	check("next", "other")
}

func TestBearerFromFile(t *testing.T) {
	got, server := serve(t, ok)
	path := write(t, "token", "one\n")
	c := newClient(t, func(o *Options) { o.Auth.Bearer = &secret.Value{File: path} })
	get(t, c, server, nil)
	want(t, "first", got.last(t).Header, map[string]string{"Authorization": "Bearer one"})
	write(t, path, "two\n")
	get(t, c, server, http.Header{})
	want(t, "rotated", got.last(t).Header, map[string]string{"Authorization": "Bearer two"})
}
