package adapters_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sidestream/adapters"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestVars(t *testing.T) {
	const bad = "(refused)"
	for _, tt := range []struct{ value, segment, path, query string }{
		{"42", "42", "42", "42"},
		{"a b", "a%20b", "a%20b", "a+b"},
		{"a/b", bad, "a/b", "a%2Fb"},
		{"a?b#c%", "a%3Fb%23c%25", "a%3Fb%23c%25", "a%3Fb%23c%25"},
		{"@evil", "@evil", "@evil", "%40evil"},
		{"é", "%C3%A9", "%C3%A9", "%C3%A9"},
		{"..", bad, bad, ".."},
		{"a/../b", bad, bad, "a%2F..%2Fb"},
		{"a//b", bad, bad, "a%2F%2Fb"},
		{`a\b`, bad, bad, "a%5Cb"},
		{"", bad, bad, ""},
		{"a\r\nb", bad, bad, bad},
		{"a\x00", bad, bad, bad},
		{"\xff", bad, bad, bad},
		{strings.Repeat("x", adapters.MaxVar+1), bad, bad, bad},
	} {
		vars := adapters.Vars{"v": tt.value}
		for name, f := range map[string]struct {
			method func(string) (string, error)
			want   string
		}{"Segment": {vars.Segment, tt.segment}, "Path": {vars.Path, tt.path}, "Query": {vars.Query, tt.query}} {
			got, err := f.method("v")
			if err != nil {
				got = bad
				if !errors.Is(err, adapters.ErrBadVariable) {
					t.Errorf("%s(%.20q): got error %v, want ErrBadVariable", name, tt.value, err)
				}
			}
			if got != f.want {
				t.Errorf("%s(%.20q): got %q, want %q", name, tt.value, got, f.want)
			}
		}
	}
}

func TestPositionValid(t *testing.T) {
	for p, want := range map[adapters.Position]bool{
		"": true, "a": true, "Az09-_.!}": true,
		"a b": false, "a~1": false, "a\n": false, "\x00": false, "é": false, "\x7f": false,
		adapters.Position(strings.Repeat("x", adapters.MaxPosition)):   true,
		adapters.Position(strings.Repeat("x", adapters.MaxPosition+1)): false,
	} {
		if got := p.Valid(); got != want {
			t.Errorf("%.20q: got %v, want %v", p, got, want)
		}
	}
}

func TestWhole(t *testing.T) {
	whole := adapters.NewState("p", "t", []byte("x"))
	for _, tt := range []struct {
		name  string
		event adapters.Event
		want  bool
	}{
		{"no state", adapters.Event{Data: []byte("x")}, false},
		{"a state", whole, true},
		{"an empty state", adapters.NewState("", "", nil), true},
		{"equal bytes", adapters.Event{Type: "t", Data: []byte("x"), State: &adapters.State{Type: "t", Data: []byte("x")}}, true},
		{"a change", adapters.Event{Type: "patch", Data: []byte("x"), State: whole.State}, false},
		{"other bytes", adapters.Event{Type: "t", Data: []byte("y"), State: whole.State}, false},
	} {
		if got := tt.event.Whole(); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestScalars(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0s", "250ms": "250ms", "1h30m": "1h30m0s", "15": "", "-1s": "", "soon": "", "": "", "99999999h": "",
	} {
		var d adapters.Duration
		if err := d.UnmarshalText([]byte(text)); (err != nil) != (want == "") || err == nil && d.String() != want {
			t.Errorf("Duration %q: got %v, %v, want %q", text, d, err, want)
		}
	}
	for text, want := range map[string]string{
		"0": "0", "65536": "64KiB", "64KiB": "64KiB", "64 KiB": "64KiB", "10MB": "10000000", "1GiB": "1GiB", "5B": "5", "1kB": "1000",
		"": "", "-1": "", "1.5MiB": "", "64kib": "", "5 parsecs": "", "KiB": "", "99999999999GiB": "", "9223372036854775807": "9223372036854775807",
	} {
		var s adapters.Size
		if err := s.UnmarshalText([]byte(text)); (err != nil) != (want == "") || err == nil && s.String() != want {
			t.Errorf("Size %q: got %v, %v, want %q", text, s, err, want)
		}
	}
}

func TestSecretIsNotShown(t *testing.T) {
	var s adapters.Secret
	if err := s.UnmarshalText([]byte("hunter2")); err != nil || s.Reveal() != "hunter2" {
		t.Fatalf("got %q, %v", s.Reveal(), err)
	}
	inside := struct{ S adapters.Secret }{s}
	js, err := json.Marshal(inside)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{fmt.Sprint(s), fmt.Sprintf("%s %v %q %#v %+v", s, s, s, s, inside), string(js)} {
		if strings.Contains(shown, "hunter2") {
			t.Errorf("shown: %s", shown)
		}
	}
}

func TestErrors(t *testing.T) {
	lost := fmt.Errorf("run: %w", &adapters.PositionLostError{Reason: adapters.LostExpired, Lost: 5})
	if !errors.Is(lost, adapters.ErrPositionLost) {
		t.Error("a PositionLostError is not ErrPositionLost")
	}
	if adapters.IsPermanent(lost) || adapters.IsPermanent(nil) || adapters.IsPermanent(adapters.Transient("x", nil)) {
		t.Error("taken for permanent")
	}
	cause := errors.New("cause")
	permanent := fmt.Errorf("run: %w", adapters.Permanent("no such topic", cause))
	if !adapters.IsPermanent(permanent) || !errors.Is(permanent, cause) {
		t.Errorf("%v: not permanent, or its cause is lost", permanent)
	}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{permanent, "no such topic"},
		{adapters.Transient("", syscall.ECONNREFUSED), "connection refused"},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, "connection refused"},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, "connection reset"},
		{context.DeadlineExceeded, "timeout"},
		{&tls.CertificateVerificationError{Err: errors.New("x509: not for secret.internal")}, "certificate not trusted"},
		{&net.DNSError{Err: "no such host", Name: "secret.internal"}, "name not resolved"},
		{&net.DNSError{IsTimeout: true}, "timeout"},
		{errors.New("GET http://user:hunter2@10.0.0.1/"), "upstream failed"},
	} {
		if got := adapters.Reason(tt.err); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.err, got, tt.want)
		}
	}
}

func TestQuoteless(t *testing.T) {
	plain := errors.New("plain")
	for _, tt := range []struct {
		err  error
		want string
	}{
		{plain, "plain"},
		{&url.Error{Op: "Get", URL: "http://x/?token=hunter2", Err: plain}, "plain"},
		{fmt.Errorf("read: %w", textproto.ProtocolError("missing colon: hunter2")), "the peer's answer is not well-formed HTTP"},
		{errors.New(`net/http: malformed HTTP response "hunter2"`), "the peer's answer is not well-formed HTTP"},
	} {
		if got := adapters.Quoteless(tt.err); got.Error() != tt.want {
			t.Errorf("%v: got %q, want %q", tt.err, got, tt.want)
		}
	}
	if got := adapters.Quoteless(nil); got != nil {
		t.Errorf("nil: got %v", got)
	}
}

func TestRegistry(t *testing.T) {
	type options struct {
		Every adapters.Duration `yaml:"every"`
	}
	second := adapters.Duration(time.Second)
	a := adapters.New("a", func() options { return options{second} },
		func(o options, r adapters.Route) (adapters.Factory, error) {
			return nil, adapters.BadOption("every", "%v on %s", o.Every, r.Path)
		})
	r := adapters.NewRegistry(a, adapters.New("b", func() options { return options{} }, nil))
	if got := strings.Join(r.Names(), " "); got != "a b" {
		t.Errorf("names: got %q, want a b", got)
	}
	if _, ok := r.Lookup("c"); ok {
		t.Error("found an adapter that isn't there")
	}
	if _, ok := new(adapters.Registry).Lookup("a"); ok {
		t.Error("the zero registry isn't empty")
	}
	got, ok := r.Lookup("a")
	if !ok {
		t.Fatal("a is not there")
	}
	_, err := got.Configure(adapters.Route{Path: "/x"}, func(into any) error {
		o, ok := into.(*options)
		if !ok || o.Every != second {
			t.Errorf("decode is given %#v, want the defaults", into)
		}
		o.Every *= 2
		return nil
	})
	var bad *adapters.OptionError
	if !errors.As(err, &bad) || bad.Path != "every" || bad.Error() != "every: 2s on /x" {
		t.Errorf("got error %v, want the option error of build", err)
	}
	cause := errors.New("cause")
	if _, err := got.Configure(adapters.Route{}, func(any) error { return cause }); !errors.Is(err, cause) {
		t.Errorf("got error %v, want decode's", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("two adapters of one name are let pass")
		}
	}()
	adapters.NewRegistry(a, a)
}
