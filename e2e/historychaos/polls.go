package historychaos

import (
	"fmt"
	"slices"
	"time"

	"sidestream/e2e/chaos"
)

// A Poll is one request that a legacy application has answered, or was left
// with.
type Poll struct {
	By         string // the process of a replica
	Start, End time.Time
}

// A Tenure is a time in which a process runs the source, from when it has said
// so. It ends when another one's begins.
type Tenure struct {
	By   string
	From time.Time
}

// A Pause is a time in which a process stands still, or in which what is sent
// to the application is under way.
type Pause struct {
	Of       string // empty: everybody
	From, To time.Time
}

// Polls returns where two processes have asked at once for longer than the
// lease lasts, and where one has asked for so long after another's tenure had
// begun. One that stands still then has that time from when it goes on. Tenures
// are in their order, which the clock may be too coarse to tell.
func Polls(polls []Poll, tenures []Tenure, pauses []Pause, lease time.Duration) (found []chaos.Violation) {
	polls = slices.SortedFunc(slices.Values(polls), func(a, b Poll) int { return a.Start.Compare(b.Start) })
	fail := func(kind chaos.Kind, at time.Time, format string, args ...any) {
		found = append(found, chaos.Violation{
			Client: "the application", Kind: kind, Entry: -1,
			Text: at.UTC().Format("15:04:05.000: ") + fmt.Sprintf(format, args...),
		})
	}
	for i, p := range polls {
		for _, other := range polls[i+1:] {
			if !other.Start.Before(p.End) {
				break
			}
			end := p.End
			if other.End.Before(end) {
				end = other.End
			}
			if together := end.Sub(other.Start); p.By != other.By && together > lease {
				fail(Together, other.Start, "%s and %s ask at once for %v, want at most %v", p.By, other.By, together, lease)
			}
		}
		if since, by, superseded := supersededAt(p, tenures); superseded {
			for _, pause := range pauses { // one after the other
				if (pause.Of == "" || pause.Of == p.By) && !pause.From.After(since.Add(lease)) && pause.To.After(since) {
					since = pause.To
				}
			}
			if late := p.Start.Sub(since); late > lease {
				fail(Superseded, p.Start, "%s asks %v after it could know that %s does, want at most %v", p.By, late, by, lease)
			}
		}
	}
	return found
}

// supersededAt returns when, after the last tenure of who polls, another one's
// began before the poll. Whoever never had a tenure is superseded by the first.
func supersededAt(p Poll, tenures []Tenure) (at time.Time, by string, superseded bool) {
	for _, t := range tenures {
		switch {
		case t.From.After(p.Start):
			return at, by, superseded
		case t.By == p.By:
			superseded = false
		case !superseded:
			at, by, superseded = t.From, t.By, true
		}
	}
	return at, by, superseded
}
