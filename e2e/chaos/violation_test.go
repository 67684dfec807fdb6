package chaos_test

import (
	"fmt"
	"strings"
	"testing"

	"sidestream/e2e/chaos"
)

// A report names what is missing, where, and on what connection, and stays
// short however much is wrong.
func TestReport(t *testing.T) {
	h := history(t)
	found := h.Check(chaos.Client{Name: "anna", Key: "a", Log: log(t, "^ 1 ^1 7 9")})
	if got := found[0].Records(); len(got) != 2 || got[0].Sequence != 3 || got[1].Sequence != 5 {
		t.Errorf("got %v missing, want a/2@3 and a/3@5", got)
	}
	want := `violations: 1 missing; clients: 1:
anna, entry 3: missing: a/2@3, a/3@5: at 1 came 7 (connection 2 to one, which came with 1-s)
    0: connected with "" to  at 00:00:00.000
    1: event 1-s: a/1
    2: connected with "1-s" to one at 00:00:00.000
    3: event 7-s: a/4
    4: event 9-s: a/5`
	if got := chaos.Report(found); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := chaos.Report(nil); got != "" {
		t.Errorf("got %q for no violations, want nothing", got)
	}

	var many []chaos.Violation
	for i := range 50 {
		many = append(many, h.Check(chaos.Client{Name: fmt.Sprint("client ", i), Log: log(t, "^ 1 1 1 1 1 10")})...)
	}
	report := chaos.Report(many)
	if got := strings.Count(report, "\nclient "); got != 30 {
		t.Errorf("got %d violations in the report, want 30:\n%s", got, report)
	}
	for _, part := range []string{"violations: 200 repeated, 50 missing; clients: 50; the first 30", "a/2@3", "and 4 more up to a/5@9", "client 9,"} {
		if !strings.Contains(report, part) {
			t.Errorf("got a report without %q:\n%s", part, report)
		}
	}
}

func TestTally(t *testing.T) {
	var got chaos.Tally
	for range 2 {
		c := chaos.Client{Log: log(t, "^ 1 2 live ^2 gap:?: 4 503 ^ 2")}
		got.Add(c.Tally())
	}
	if want := (chaos.Tally{Connections: 6, Resumes: 2, Events: 8, Gaps: 2, Again: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// The text of an entry is what a report shows of it.
func TestEntryString(t *testing.T) {
	entries := log(t, "^ 1 gap:3:5 gap:?: live 2! 503")
	want := []string{
		`connected with "" to  at 00:00:00.000`, "event 1-s: a/1", `gap at 1-s: overflow, 3 lost, resumes at "5-s"`,
		`gap at 1-s: overflow, an unknown number lost, resumes at ""`, "stream.live at 1-s", "event 2-s: cut", "refused with 503",
	}
	for i, e := range entries {
		if got := e.String(); got != want[i] {
			t.Errorf("got %s, want %s", got, want[i])
		}
	}
}
