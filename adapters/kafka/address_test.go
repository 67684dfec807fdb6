package kafka

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	for text, want := range map[string]string{
		"kafka:9092":                 "kafka:9092",
		"kafka":                      "kafka:9092",
		"kafka-0.kafka.svc:19092":    "kafka-0.kafka.svc:19092",
		"my_broker:1":                "my_broker:1",
		"10.0.0.1":                   "10.0.0.1:9092",
		"10.0.0.1:65535":             "10.0.0.1:65535",
		"[::1]":                      "[::1]:9092",
		"[::1]:9093":                 "[::1]:9093",
		"[fe80::1%eth0]:9093":        "[fe80::1%eth0]:9093",
		"b-1.c.kafka.amazonaws.com.": "b-1.c.kafka.amazonaws.com.:9092",
	} {
		if got, err := parseAddress(text); got != want || err != nil {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
	for text, want := range map[string]error{
		"":                           errNoAddress,
		"kafka://h:9092":             errScheme,
		"http://h":                   errScheme,
		"SASL_SSL://h:9092":          errScheme,
		"kafka://u:hunter2@h":        errScheme,
		"u:hunter2@h:9092":           errUser,
		"::1":                        errBrackets,
		"fe80::1%eth0":               errBrackets,
		"h:0":                        errPort,
		"h:70000":                    errPort,
		"h:x":                        errPort,
		"h:":                         errPort,
		":9092":                      errAddress,
		"h:1:2":                      errAddress,
		"[h":                         errAddress,
		"h]:1":                       errAddress,
		"a b":                        errAddress,
		"h/path":                     errAddress,
		"h?hunter2":                  errAddress,
		"[::1]]:1":                   errAddress,
		"ä:1":                        errAddress,
		strings.Repeat("h", 256):     errAddress,
		"h\n:1":                      errAddress,
		"[not an address]:9092":      errAddress,
		"host:9092 second-host:9092": errAddress,
	} {
		got, err := parseAddress(text)
		if !errors.Is(err, want) {
			t.Errorf("%q: got %q, %v, want %v", text, got, err, want)
		}
	}
}

func TestAddresses(t *testing.T) {
	o := Connection{Brokers: []string{"a, b:1 ,[::1]", "c", "a:9092"}}
	want := []string{"a:9092", "b:1", "[::1]:9092", "c:9092"}
	if got := o.addresses(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
