package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sidestream/e2e/historychaos"
)

// A historyReplica is a replica each of whose processes tells the legacy
// application another name.
type historyReplica struct {
	*sidestream
	number int
	table  func(name string) string

	processes []*process // all so far, the newest last
	pauses    []historychaos.Pause
}

// startReplica starts a replica. table returns its table, in which it polls
// under a name.
func startReplica(tb testing.TB, number int, table func(name string) string) *historyReplica {
	tb.Helper()
	r := &historyReplica{number: number, table: table}
	r.sidestream = serve(tb, table(r.name(0)))
	r.processes = append(r.processes, r.process)
	return r
}

// name returns the name of a process, by its number.
func (r *historyReplica) name(process int) string { return fmt.Sprintf("%d.%d", r.number, process) }

// faults are those of the replica's processes.
func (r *historyReplica) faults(tb testing.TB) []fault {
	tb.Helper()
	faults := replicaFaults(r.sidestream, func(*process) { // before there is another one
		replaceFile(tb, r.config, r.table(r.name(len(r.processes))))
	})
	for i := range faults {
		f := &faults[i]
		begin, end := f.begin, f.end
		switch f.name {
		case "Sidestream paused":
			f.longest = 6 * time.Second // longer than the lease
			var since time.Time
			f.begin = func(tb testing.TB) { tb.Helper(); since = time.Now(); begin(tb) }
			f.end = func(tb testing.TB) {
				tb.Helper()
				end(tb)
				r.pauses = append(r.pauses, historychaos.Pause{Of: r.name(len(r.processes) - 1), From: since, To: time.Now()})
			}
		default:
			f.end = func(tb testing.TB) {
				tb.Helper()
				end(tb)
				r.processes = append(r.processes, r.process)
			}
		}
	}
	return faults
}

// tenures returns when replicas have begun to run the source of the document,
// as their processes have said.
func tenures(replicas []*historyReplica) (all []historychaos.Tenure) {
	type line struct {
		Message, Route string
		Term           uint64
		Time           time.Time
	}
	type termed struct {
		historychaos.Tenure
		term uint64
	}
	var found []termed
	for _, r := range replicas {
		for i, p := range r.processes {
			for text := range strings.Lines(p.output.String()) {
				var l line
				if json.Unmarshal([]byte(text), &l) == nil && l.Message == "source is run by this replica" && l.Route == docEvents {
					found = append(found, termed{historychaos.Tenure{By: r.name(i), From: l.Time}, l.Term})
				}
			}
		}
	}
	slices.SortFunc(found, func(a, b termed) int { return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.term, b.term)) })
	for _, t := range found {
		all = append(all, t.Tenure)
	}
	return all
}

// serverFaults are those of a server that stands alone.
func serverFaults(name string, s *natsServer) []fault {
	well := true
	possible := func() bool { return well }
	return []fault{
		{
			name: name + " kill -9", longest: 3 * time.Second, possible: possible,
			begin: func(testing.TB) { well = false; s.kill() },
			end:   func(tb testing.TB) { tb.Helper(); s.start(tb); well = true },
		},
		{
			name: name + " paused", longest: 5 * time.Second, possible: possible,
			begin: func(tb testing.TB) { tb.Helper(); well = false; s.signal(tb, syscall.SIGSTOP) },
			end:   func(tb testing.TB) { tb.Helper(); s.signal(tb, syscall.SIGCONT); well = true },
		},
	}
}
