package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// kcat runs kcat with that input, and returns what it writes.
func kcat(tb testing.TB, stdin string, args ...string) string {
	tb.Helper()
	out, err := tryKcat(tb.Context(), stdin, args...)
	if err != nil {
		tb.Fatalf("kcat %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// kcatError is what kcat wrote before it failed.
type kcatError struct {
	err    error
	stderr string
}

func (e *kcatError) Error() string { return e.err.Error() + "\n" + e.stderr }

// tryKcat is kcat where it may fail.
func tryKcat(ctx context.Context, stdin string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	// -F: no configuration of whoever runs the test.
	cmd := exec.CommandContext(ctx, "kcat", append([]string{"-q", "-F", "/dev/null"}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", &kcatError{err, stderr.String()}
	}
	return stdout.String(), nil
}

// kcatSend sends lines as records, "key:value" each, by kcat's own producer,
// which is librdkafka's. Further arguments may ask for another delimiter, a
// partition (-p), headers (-H), or compression (-z).
func kcatSend(tb testing.TB, bootstrap, topic string, lines []string, args ...string) {
	tb.Helper()
	args = append([]string{"-P", "-b", bootstrap, "-t", topic, "-K:", "-X", "acks=all"}, args...)
	kcat(tb, strings.Join(lines, "\n")+"\n", args...)
}

// kcatRecord is a record as kcat reads it. Of a null key or value there is nil.
type kcatRecord struct {
	Partition int
	Offset    int64
	Millis    int64     `json:"ts"`
	Headers   []*string // keys and values in turn
	Key       *string
	Value     *string `json:"payload"`
}

// kcatRead reads all that is committed of a topic by now. Further arguments
// may ask for a partition (-p) or where to begin (-o).
func kcatRead(tb testing.TB, bootstrap, topic string, args ...string) (records []kcatRecord) {
	tb.Helper()
	args = append([]string{"-C", "-e", "-J", "-b", bootstrap, "-t", topic, "-X", "isolation.level=read_committed"}, args...)
	for line := range strings.Lines(kcat(tb, "", args...)) {
		var r kcatRecord
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			tb.Fatalf("kcat read %q: %v", line, err)
		}
		records = append(records, r)
	}
	return records
}

// text returns "key=value", with "null" for what is null.
func (r kcatRecord) text() string {
	or := func(s *string) string {
		if s == nil {
			return "null"
		}
		return *s
	}
	return or(r.Key) + "=" + or(r.Value)
}

// texts returns the text of each record.
func texts(records []kcatRecord) (all []string) {
	for _, r := range records {
		all = append(all, r.text())
	}
	return all
}
