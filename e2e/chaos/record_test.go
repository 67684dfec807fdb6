package chaos_test

import (
	"bytes"
	"testing"

	"sidestream/e2e/chaos"
)

func TestPayload(t *testing.T) {
	lines := 0
	for n := 1; n <= 200; n++ {
		want := chaos.Record{Key: "k1", Number: n}
		payload := want.Payload()
		if got, err := chaos.Parse(payload); err != nil || got != want {
			t.Fatalf("got %v (%v), want %v", got, err, want)
		}
		if bytes.Contains(payload, []byte("\n")) {
			lines++
		}
	}
	if lines == 0 || lines == 200 {
		t.Errorf("got %d of 200 payloads with several lines, want some", lines)
	}
}

func TestParseRefuses(t *testing.T) {
	payload := chaos.Record{Key: "k1", Number: 7}.Payload()
	other := chaos.Record{Key: "k1", Number: 8}.Payload()
	for name, bad := range map[string][]byte{
		"empty":            nil,
		"no JSON":          []byte("k1/7"),
		"cut":              payload[:len(payload)-5],
		"trailing space":   append(bytes.Clone(payload), ' '),
		"another number":   bytes.Replace(payload, []byte("7"), []byte("8"), 1),
		"one byte changed": bytes.Replace(other, []byte("a"), []byte("b"), 1),
	} {
		if got, err := chaos.Parse(bad); err == nil {
			t.Errorf("%s: got %v, want an error", name, got)
		}
	}
}

func TestSequence(t *testing.T) {
	for id, want := range map[string]uint64{"0-x": 0, "17-s3cr": 17, "17-a-b": 17, "18446744073709551615-x": 1<<64 - 1} {
		if got, _, err := chaos.Sequence(id); err != nil || got != want {
			t.Errorf("%s: got %d (%v), want %d", id, got, err, want)
		}
	}
	for _, id := range []string{"", "17", "17-", "-x", "017-x", "+1-x", "x-17", "1~2-x", "18446744073709551616-x"} {
		if got, _, err := chaos.Sequence(id); err == nil {
			t.Errorf("%q: got %d, want an error", id, got)
		}
	}
}
