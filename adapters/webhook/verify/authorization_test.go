package verify

import (
	"errors"
	"testing"

	"sidestream/adapters/secret"
)

func TestBearer(t *testing.T) {
	v := verifier(t, Options{Bearer: texts("one", "two")}, 0)
	for header, want := range map[string]bool{
		"Bearer one":     true,
		"bearer two":     true,
		"BEARER   one":   true,
		"Bearer":         false,
		"Bearer ":        false,
		"Bearer One":     false,
		"Bearer one two": false,
		"Bearer one,two": false,
		"Bearer onetwo":  false,
		"Bearer\tone":    false,
		"Bearerone":      false,
		"Basic one":      false,
		"one":            false,
		" Bearer one":    false,
	} {
		r := request("/", "Authorization", header)
		if want {
			accepts(t, header, v, r, "")
		} else {
			refuses(t, header, v, r, "")
		}
	}
}

func TestBasic(t *testing.T) {
	v := verifier(t, Options{Basic: []Basic{
		{User: secret.Text("a"), Password: secret.Text("1:1")},
		{User: secret.Text("b"), Password: secret.Text("2")},
		{Password: secret.Text("3")},
	}}, 0)
	for _, tc := range []struct {
		user, password string
		right          bool
	}{
		{"a", "1:1", true},
		{"b", "2", true},
		{"", "3", true},
		{"a", "2", false},
		{"b", "1:1", false},
		{"a", "", false},
		{"", "", false},
		{"a:1", "1", true}, // the same on the wire as a and 1:1
		{"c", "3", false},
		{"A", "1:1", false},
	} {
		r := request("/")
		r.SetBasicAuth(tc.user, tc.password)
		if tc.right {
			accepts(t, tc.user+":"+tc.password, v, r, "")
		} else {
			refuses(t, tc.user+":"+tc.password, v, r, "")
		}
	}
	for _, header := range []string{"Basic", "Basic ", "Basic YTox", "Basic YToxOjE", "Basic !", "Bearer YToxOjE="} {
		refuses(t, header, v, request("/", "Authorization", header), "")
	}
}

// TestBasicUserInFile has the user in a file that is lost.
func TestBasicUserInFile(t *testing.T) {
	v := verifier(t, Options{Basic: []Basic{{User: secret.Value{File: t.TempDir() + "/lost"}, Password: secret.Text("1")}}}, 0)
	r := request("/")
	r.SetBasicAuth("a", "1")
	cannotTell(t, "lost", v, r, "", "verify.basic[0].user")
}

func TestChallenges(t *testing.T) {
	for _, tc := range []struct {
		options   Options
		status    int
		challenge string
	}{
		{Options{Bearer: texts("one")}, 401, "Bearer"},
		{Options{Basic: []Basic{{Password: secret.Text("1")}}}, 401, `Basic realm="webhook", charset="UTF-8"`},
		{Options{GitHub: &Signed{Secret: texts("s")}}, 403, ""},
		{Options{IP: &IP{Allow: []string{"203.0.113.1"}}, Bearer: texts("one")}, 401, "Bearer"},
	} {
		err := verifier(t, tc.options, 0).Verify(request("/"), nil)
		var refused *Refusal
		if !errors.As(err, &refused) || refused.Status != tc.status || len(refused.Challenge) > 1 || (len(refused.Challenge) == 1) != (tc.challenge != "") ||
			(tc.challenge != "" && refused.Challenge[0] != tc.challenge) {
			t.Errorf("got %#v, want status %d and challenge %q", err, tc.status, tc.challenge)
		}
	}
}
