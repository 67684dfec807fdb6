package chaos

import (
	"fmt"
	"slices"
	"strings"
)

// A Kind is what is wrong.
type Kind string

// The kinds of violations.
const (
	Missing    Kind = "missing"      // a record was skipped in silence, or never came
	Repeated   Kind = "repeated"     // a record came again without being asked for
	OutOfOrder Kind = "out of order" // a record came after later ones
	Foreign    Kind = "foreign key"  // a record of a key that isn't the client's
	Corrupted  Kind = "corrupted"    // a payload that belongs to no record
	Aborted    Kind = "aborted"      // a record that was taken back
	WrongID    Kind = "wrong id"     // an id or place that isn't the record's
	WrongState Kind = "wrong state"  // a state that isn't that of the stream
	WrongGap   Kind = "wrong gap"    // a gap whose number is not what is missing, or that may not be
	GaveUp     Kind = "gave up"      // an answer that makes a browser stay away
	BadLog     Kind = "bad log"      // the client itself did what clients don't
)

// A Violation is one thing that should not have happened.
type Violation struct {
	Client string
	Kind   Kind
	Entry  int    // its place in the client's log; the log's length: what never came; -1: not in a log
	Text   string // what happened, and where the client was

	records []Record // that are missing
	log     []Entry  // the client's, of which the report shows what is around Entry
}

func (v Violation) String() string {
	text := v.Text
	if len(v.records) > 0 {
		text = fmt.Sprintf("%s: %s", brief(v.records), text)
	}
	if v.Entry < 0 {
		return fmt.Sprintf("%s: %s: %s", v.Client, v.Kind, text)
	}
	return fmt.Sprintf("%s, entry %d: %s: %s", v.Client, v.Entry, v.Kind, text)
}

// Records are the records that a [Missing] violation is about.
func (v Violation) Records() []Record { return slices.Clone(v.records) }

// context returns the entries around that of the violation, a line each.
func (v Violation) context() string {
	const before, after = 4, 2
	var b strings.Builder
	for i := max(0, v.Entry-before); i < min(len(v.log), v.Entry+after); i++ {
		fmt.Fprintf(&b, "\n    %d: %v", i, v.log[i])
	}
	return b.String()
}

// brief names a few records of a list and counts the others.
func brief(records []Record) string {
	const most = 4
	var b strings.Builder
	for i, r := range records {
		if i == most {
			fmt.Fprintf(&b, " and %d more up to %v", len(records)-most, records[len(records)-1])
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(r.String())
	}
	return b.String()
}

// Report returns how many violations there are of each kind, and the first of
// them with what is around them in the log; "" if there are none.
func Report(violations []Violation) string {
	if len(violations) == 0 {
		return ""
	}
	const (
		mostAlike = 2 // of one kind and client
		most      = 30
	)
	kinds := map[Kind]int{}
	clients := map[string]bool{}
	type what struct {
		client string
		kind   Kind
	}
	alike := map[what]int{}
	var lines []string
	for _, v := range violations {
		kinds[v.Kind]++
		clients[v.Client] = true
		like := what{v.Client, v.Kind}
		if alike[like]++; alike[like] <= mostAlike && len(lines) < most {
			lines = append(lines, v.String()+v.context())
		}
	}
	counts := make([]string, 0, len(kinds))
	for kind, n := range kinds {
		counts = append(counts, fmt.Sprintf("%d %s", n, kind))
	}
	slices.Sort(counts)
	head := fmt.Sprintf("violations: %s; clients: %d", strings.Join(counts, ", "), len(clients))
	if len(lines) < len(violations) {
		head += fmt.Sprintf("; the first %d", len(lines))
	}
	return head + ":\n" + strings.Join(lines, "\n")
}
