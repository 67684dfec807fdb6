package historychaos_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sidestream/e2e/chaos"
	"sidestream/e2e/historychaos"
)

// log makes a log of short words:
//
//	^x    a connection with the id x-s, ^ without one
//	5a1   the event 5-s, of the record a/1
//	5v1   the same, of version 1 of a document: the record /1
//	5!    an event that is broken
//	gap   a gap
//	live  a control event with the id that the client has; live=x with x-s
//	503   a refusal
func log(t *testing.T, words string) (entries []chaos.Entry) {
	t.Helper()
	id := ""
	for word := range strings.FieldsSeq(words) {
		var sequence, number int
		var key string
		switch {
		case word[0] == '^':
			if id = word[1:]; id != "" {
				id += "-s"
			}
			entries = append(entries, chaos.Connected{LastEventID: id})
		case word == "gap":
			entries = append(entries, chaos.Gap{ID: id, Reason: "unknown"})
		case strings.HasPrefix(word, "live"):
			_, own, named := strings.Cut(word, "=")
			if named {
				own += "-s"
			} else {
				own = id
			}
			entries = append(entries, chaos.Notice{ID: own, Type: "stream.live"})
		case word == "503":
			entries = append(entries, chaos.Refused{Status: 503})
		case word[len(word)-1] == '!':
			entries = append(entries, chaos.Event{ID: word[:len(word)-1] + "-s", Err: errors.New("cut")})
		default:
			at := strings.IndexAny(word, "abv")
			if at < 0 {
				t.Fatalf("%q is no word of a log", word)
			}
			if _, err := fmt.Sscanf(word[:at]+" "+word[at:at+1]+" "+word[at+1:], "%d %s %d", &sequence, &key, &number); err != nil {
				t.Fatalf("%q is no word of a log: %v", word, err)
			}
			id = fmt.Sprint(sequence, "-s")
			entries = append(entries, chaos.Event{ID: id, Record: chaos.Record{Key: key, Number: number, Sequence: uint64(sequence)}})
		}
	}
	return entries
}

// clients returns clients with these logs, called 1, 2 and so on.
func clients(t *testing.T, logs ...string) (all []chaos.Client) {
	t.Helper()
	for i, words := range logs {
		all = append(all, chaos.Client{Name: strconv.Itoa(i + 1), Log: log(t, words)})
	}
	return all
}

// kinds returns what is wrong, and where: "1:missing@3".
func kinds(found []chaos.Violation) string {
	var all []string
	for _, v := range found {
		all = append(all, fmt.Sprintf("%s:%s@%d", v.Client, v.Kind, v.Entry))
	}
	return strings.Join(all, " ")
}

func TestUnion(t *testing.T) {
	records, found := historychaos.Union(clients(t, "^ 2a1 3b1 7a2", "^ 3b1 5! 8b2 live ^3 7a2"))
	want := []chaos.Record{
		{Key: "a", Number: 1, Sequence: 2}, {Key: "b", Number: 1, Sequence: 3},
		{Key: "a", Number: 2, Sequence: 7}, {Key: "b", Number: 2, Sequence: 8},
	}
	if !slices.Equal(records, want) || len(found) > 0 {
		t.Errorf("got %v, violations %s; want %v and none", records, kinds(found), want)
	}
	_, found = historychaos.Union(clients(t, "^ 2a1 3b1", "^ 2a1 3b2"))
	if got, want := kinds(found), "2:wrong id@2"; got != want {
		t.Errorf("with two records at one place: got %q, want %q", got, want)
	}
}

// What was accepted and is lost, twice there, or not in order, package chaos
// finds in what Union and Accepted return.
func TestAccepted(t *testing.T) {
	accepted := []chaos.Record{{Key: "a", Number: 1}, {Key: "a", Number: 2}, {Key: "a", Number: 3}}
	for words, want := range map[string]string{
		"^ 2a1 3a2 5a3":     "",
		"^ 2a1 3a2 5a3 6a4": "", // nobody was told, and it is there all the same
		"^ 2a1 5a3":         "the stream:missing@-1",
		"^ 2a1 3a3 5a2":     "the stream:out of order@-1",
		"^ 2a1 3a2 4a2 5a3": "the stream:repeated@-1",
	} {
		stored, _ := historychaos.Union(clients(t, words))
		_, found := chaos.NewHistory(stored, historychaos.Accepted(accepted, stored), nil)
		if got := kinds(found); got != want {
			t.Errorf("%q: got %q, want %q", words, got, want)
		}
	}
}

func TestAnnounced(t *testing.T) {
	var published []chaos.Record
	for n := range 6 {
		published = append(published, chaos.Record{Key: "a", Number: n + 1}, chaos.Record{Key: "b", Number: n + 1})
	}
	published = slices.DeleteFunc(published, func(r chaos.Record) bool { return r.Key == "b" && r.Number == 3 }) // it may have been sent, or not
	for words, want := range map[string]string{
		"":                                "",
		"^ 1a4 2a5 3a6":                   "", // nobody says where it begins
		"^ 1a3 2b4 3a4 4a5 5b5 6a6 7b6":   "",
		"^ 1b2 2b4 3b5 4b6":               "",
		"^ 1a1 gap 3a4 4a5 5a6":           "",
		"^ 1a1 ^1 gap ^1 3a4 4a5 5a6":     "",
		"^ 1a4 2a5 gap":                   "",
		"^ 1a1 2a2 4a4 5a5 6a6":           "1:unannounced@3",
		"^ 1a1 gap 3a3 5a5 6a6":           "1:unannounced@4", // it was behind the gap
		"^ gap 1a1 3a3 4a4 5a5 6a6":       "1:unannounced@3", // or before it
		"^ 1a1 2b1 gap 3b4 4b5 5b6":       "",
		"^ 1a4 2b4 gap 3b6 4a6":           "",
		"^ 1a4 2a5":                       "1:unannounced@3",
		"^ 1a1 2a2 ^2 5a5 6a6":            "1:unannounced@4",
		"^ 1a1 gap 2a2 3! 5a5 6a6 7b6 7!": "1:unannounced@5",
	} {
		if got := kinds(historychaos.Announced(clients(t, words)[0], published)); got != want {
			t.Errorf("%q: got %q, want %q", words, got, want)
		}
	}
}

// at returns a time, in seconds since some day.
func at(seconds float64) time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
}

// polls makes polls of words: "A1-1.2" is one of A from 1 to 1.2.
func polls(t *testing.T, words string) (all []historychaos.Poll) {
	t.Helper()
	for word := range strings.FieldsSeq(words) {
		var from, to float64
		if _, err := fmt.Sscanf(word[1:], "%f-%f", &from, &to); err != nil {
			t.Fatalf("%q is no poll: %v", word, err)
		}
		all = append(all, historychaos.Poll{By: word[:1], Start: at(from), End: at(to)})
	}
	return all
}

func TestPolls(t *testing.T) {
	const (
		lease  = 2 * time.Second
		none   = ""
		both   = "the application:together@-1"
		former = "the application:superseded@-1"
	)
	tenures := []historychaos.Tenure{{By: "A", From: at(0)}, {By: "B", From: at(10)}, {By: "A", From: at(30)}, {By: "B", From: at(39)}}
	pauses := []historychaos.Pause{{Of: "A", From: at(7), To: at(15)}, {Of: "B", From: at(31), To: at(32)}, {From: at(40), To: at(50)}}
	for _, c := range []struct{ name, polls, want string }{
		{"one after the other", "A1-1.2 A2-2.1 A9-9.9 B10.1-10.2 B29-29.5 A30.1-31", none},
		{"at once for as long as the lease", "A8-12.1 B10.1-12.1", none},
		{"at once for longer", "A8-12.2 B10.1-13", both},
		{"one that is long under several", "A8-20 B10.1-10.2 B11-11.1 B12-12.1 B15-18", both},
		{"one process alone", "B10.1-15 B10.2-15", none},
		{"a poll right behind the other's beginning", "B10.1-10.2 A11.9-12 B12.1-12.2", none},
		{"one that was paused", "B10.1-10.2 A15.5-15.6 A17-17.1 B18-18.1", none},
		{"one that goes on after the pause", "B10.1-10.2 A15.5-15.6 A17.1-17.2 B18-18.1", former},
		{"one that goes on", "A30.1-30.2 B33-33.1 B34.1-34.2", former},
		{"one that was under way", "A50-50.1 A52-52.1", none},
		{"one behind those that were under way", "A50-50.1 A52.1-52.2", former},
		{"one that never had the lease", "A1-1.1 C1.5-1.6 C2.1-2.2", former},
		{"in another order", "B29-29.5 A1-1.2 A30.1-31", none},
	} {
		if got := kinds(historychaos.Polls(polls(t, c.polls), tenures, pauses, lease)); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestVersions(t *testing.T) {
	for _, c := range []struct {
		logs []string
		want string
	}{
		{[]string{"^ 1v1 live 2v2 ^2 live 5v3", "^ 2v2 5v3"}, ""},
		{[]string{"^ 1v1 5v3 7v3"}, ""}, // the state once more
		{[]string{"^ 1v1 2v2"}, "1:wrong state@3"},
		{[]string{"^ 1v1 2v3 3v2 4v3"}, "1:out of order@3"},
		{[]string{"^ 1v1 5v3 ^5 5v3"}, "1:repeated@4"},
		{[]string{"^ 1v1 5v3", "^ 1v2 5v3"}, "2:wrong id@1"},
		{[]string{"^ 1v1 gap 5v3"}, "1:wrong gap@2"},
		{[]string{"^ 1v1 live=2 5v3"}, "1:wrong id@2"},
		{[]string{"^ 1v1 503 5v3"}, "1:gave up@2"},
		{[]string{"^ 1v1 2! 5v3"}, "1:corrupted@2"},
	} {
		if got := kinds(historychaos.Versions(clients(t, c.logs...), 3)); got != c.want {
			t.Errorf("%q: got %q, want %q", c.logs, got, c.want)
		}
	}
}
