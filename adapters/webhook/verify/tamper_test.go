package verify

import (
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/secret"
)

func TestGenuine(t *testing.T) {
	for _, s := range all() {
		t.Run(s.name, func(t *testing.T) {
			v := s.verifier(t)
			accepts(t, "as it is", v, s.request(), s.body)
			if got := v.Facts(s.request(), []byte(s.body)); !reflect.DeepEqual(got, s.facts) {
				t.Errorf("got facts %+v, want %+v", got, s.facts)
			}
		})
	}
}

func TestTamperedBody(t *testing.T) {
	for _, s := range all() {
		t.Run(s.name, func(t *testing.T) {
			v := s.verifier(t)
			if s.bodyless {
				accepts(t, "another body", v, s.request(), "another")
				return
			}
			for i := range len(s.body) {
				for _, flip := range []byte{0x01, 0x20, 0x80} {
					body := flipped(s.body, i, flip)
					if s.name == "twilio form" && sameForm(body, s.body) {
						continue
					}
					refuses(t, fmt.Sprintf("byte %d flipped by %#x", i, flip), v, s.request(), body)
				}
			}
			refuses(t, "shorter", v, s.request(), s.body[:len(s.body)-1])
			refuses(t, "longer", v, s.request(), s.body+" ")
			refuses(t, "longer by a line end", v, s.request(), s.body+"\n")
			refuses(t, "longer by a separator", v, s.request(), s.body+"&")
			refuses(t, "none", v, s.request(), "")
		})
	}
}

// sameForm reports whether two forms are the same but for how they are written,
// such as %2B and %2b.
func sameForm(a, b string) bool {
	x, okX := twilioForm([]byte(a))
	y, okY := twilioForm([]byte(b))
	return okX && okY && x == y
}

func flipped(s string, i int, by byte) string {
	b := []byte(s)
	b[i] ^= by
	return string(b)
}

func TestTamperedHeaders(t *testing.T) {
	for _, s := range all() {
		t.Run(s.name, func(t *testing.T) {
			v := s.verifier(t)
			for name, value := range s.headers {
				tampered := map[string]string{
					"empty":      "",
					"cut":        value[1:],
					"longer":     value + "0",
					"twice":      value + value,
					"a list":     value + "," + value,
					"nothing":    "0",
					"long":       value + strings.Repeat("0", maxHeader),
					"only signs": ",= ,=",
				}
				for i := range len(value) {
					for _, flip := range []byte{0x01, 0x80} {
						tampered[fmt.Sprintf("byte %d flipped by %#x", i, flip)] = flipped(value, i, flip)
					}
				}
				if !s.lenient {
					tampered["shorter"] = value[:len(value)-1]
					tampered["space behind"] = value + " "
					for i := range len(value) {
						tampered[fmt.Sprintf("byte %d flipped by 0x20", i)] = flipped(value, i, 0x20)
					}
					if upper := strings.ToUpper(value); upper != value {
						tampered["in upper case"] = upper
					}
				}
				if _, bare, ok := strings.Cut(value, "="); ok {
					tampered["without prefix"] = bare
				}
				for what, other := range tampered {
					r := s.request()
					r.Header.Set(name, other)
					why := refuses(t, name+" "+what, v, r, s.body)
					if len(value) > 10 && strings.Contains(why, value) {
						t.Errorf("%s %s: got %q, want it not to quote the proof", name, what, why)
					}
				}

				r := s.request()
				r.Header.Del(name)
				refuses(t, name+" missing", v, r, s.body)
				r = s.request()
				r.Header.Add(name, value)
				refuses(t, name+" there twice", v, r, s.body)
			}
		})
	}
}

func TestTimestamps(t *testing.T) {
	at := func(s *sample, tolerance adapters.Duration, now time.Time) *Verifier {
		o := s.options(secret.Text(s.secret))
		switch {
		case o.Stripe != nil:
			o.Stripe.Tolerance = tolerance
		case o.Slack != nil:
			o.Slack.Tolerance = tolerance
		case o.StandardWebhooks != nil:
			o.StandardWebhooks.Tolerance = tolerance
		case o.GitLab != nil:
			o.GitLab.Tolerance = tolerance
		case o.HMAC != nil:
			o.HMAC.Timestamp.Tolerance = tolerance
		}
		v := verifier(t, o, 0)
		v.now = func() time.Time { return now }
		return v
	}
	for _, s := range all() {
		t.Run(s.name, func(t *testing.T) {
			if !s.stamped {
				return
			}
			sent := time.Unix(s.at, 0)
			for configured, tolerance := range map[adapters.Duration]time.Duration{
				0:                                  5 * time.Minute,
				adapters.Duration(time.Second):     time.Second,
				adapters.Duration(24 * time.Hour):  24 * time.Hour,
				adapters.Duration(3 * time.Minute): 3 * time.Minute,
			} {
				accepts(t, "just not too old", at(s, configured, sent.Add(tolerance)), s.request(), s.body)
				accepts(t, "just not too far ahead", at(s, configured, sent.Add(-tolerance)), s.request(), s.body)
				why := refuses(t, "too old", at(s, configured, sent.Add(tolerance+1)), s.request(), s.body)
				if !strings.Contains(why, "too old") {
					t.Errorf("got %q, want it to say that it is too old", why)
				}
				why = refuses(t, "too far ahead", at(s, configured, sent.Add(-tolerance-1)), s.request(), s.body)
				if !strings.Contains(why, "in the future") {
					t.Errorf("got %q, want it to say that it is in the future", why)
				}
			}
			refuses(t, "at the end of time", at(s, 0, time.Unix(1<<60, 0)), s.request(), s.body)
			refuses(t, "before all time", at(s, 0, time.Unix(-1<<60, 0)), s.request(), s.body)
		})
	}
}

func TestSecrets(t *testing.T) {
	for _, s := range all() {
		t.Run(s.name, func(t *testing.T) {
			right, wrong := secret.Text(s.secret), secret.Text(s.other)
			lost := secret.Value{File: filepath.Join(t.TempDir(), "lost")}
			with := func(secrets ...secret.Value) *Verifier { return verifier(t, s.options(secrets...), s.at) }

			refuses(t, "another secret", with(wrong), s.request(), s.body)
			refuses(t, "other secrets", with(wrong, wrong), s.request(), s.body)
			accepts(t, "the first one", with(right, wrong), s.request(), s.body)
			accepts(t, "the second one", with(wrong, right), s.request(), s.body)
			accepts(t, "in a file", with(inFile(t, s.secret)), s.request(), s.body)
			accepts(t, "in a file with a line end", with(wrong, inFile(t, s.secret+"\n")), s.request(), s.body)
			refuses(t, "another one in a file", with(inFile(t, s.other)), s.request(), s.body)

			accepts(t, "beside a lost one", with(lost, right), s.request(), s.body)
			accepts(t, "before a lost one", with(right, lost), s.request(), s.body)
			cannotTell(t, "lost", with(lost), s.request(), s.body, "no such file")
			cannotTell(t, "maybe the lost one", with(wrong, lost), s.request(), s.body, "no such file")
			cannotTell(t, "nothing but a line end", with(inFile(t, "\n")), s.request(), s.body, "it is empty")
			r := s.request()
			for name := range s.headers {
				r.Header.Del(name)
			}
			refuses(t, "without proof, and the secret lost", with(lost), r, s.body)
		})
	}
}

// TestSecretIsReadAgain replaces the secret in a file.
func TestSecretIsReadAgain(t *testing.T) {
	for _, s := range all() {
		t.Run(s.name, func(t *testing.T) {
			value := inFile(t, s.other)
			v := verifier(t, s.options(value), s.at)
			refuses(t, "before", v, s.request(), s.body)
			replace(t, value.File, s.secret)
			accepts(t, "after", v, s.request(), s.body)
		})
	}
}

// TestSchemesAreApart gives each sample to the verifiers of all others.
func TestSchemesAreApart(t *testing.T) {
	for _, s := range all() {
		t.Run(s.name, func(t *testing.T) {
			v := s.verifier(t)
			for i := range samples {
				other := &samples[i]
				if !slices.Equal(slices.Sorted(maps.Keys(other.headers)), slices.Sorted(maps.Keys(s.headers))) {
					refuses(t, other.name, v, other.request(), other.body)
				}
			}
		})
	}
}
