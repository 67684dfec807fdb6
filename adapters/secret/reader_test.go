package secret_test

import (
	"path/filepath"
	"strings"
	"testing"

	"sidestream/adapters"
	"sidestream/adapters/secret"
)

func TestRead(t *testing.T) {
	const most = 64 << 10
	for _, tc := range []struct {
		name  string
		value secret.Value
		want  string
	}{
		{"absent", secret.Value{}, ""},
		{"no text", secret.Text(""), ""},
		{"text as it is", secret.Text(" one\n"), " one\n"},
		{"file", secret.Value{File: write(t, "a", "one")}, "one"},
		{"file with a line end", secret.Value{File: write(t, "b", "one\n")}, "one"},
		{"file of Windows", secret.Value{File: write(t, "c", "one\r\n")}, "one"},
		{"only one line end goes", secret.Value{File: write(t, "d", "one\n\n")}, "one\n"},
		{"other space stays", secret.Value{File: write(t, "e", " one\t")}, " one\t"},
		{"nothing but a line end", secret.Value{File: write(t, "f", "\n")}, ""},
		{"the most", secret.Value{File: write(t, "g", strings.Repeat("x", most))}, strings.Repeat("x", most)},
	} {
		got, err := secret.NewReader("auth.key", tc.value).Read()
		if err != nil || got != tc.want {
			t.Errorf("%s: got %.20q, %v, want %.20q", tc.name, got, err, tc.want)
		}
	}
}

func TestReadSeesChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	r := secret.NewReader("auth.key", secret.Value{File: path})
	_, err := r.Read()
	fails(t, "not there", err, "auth.key: ", path, "no such file")
	if got, want := adapters.Reason(err), secret.ReasonUnavailable; got != want || adapters.IsPermanent(err) {
		t.Errorf("got %q, permanent: %v, want %q, transient", got, adapters.IsPermanent(err), want)
	}
	write(t, path, strings.Repeat(hidden, 10000))
	_, err = r.Read()
	fails(t, "too large", err, "auth.key: ", path, "more than 65536 bytes")
	for _, want := range []string{"one", "two"} {
		write(t, path, want+"\n")
		if got, err := r.Read(); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}
