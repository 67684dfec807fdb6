package proxy

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidestream/adapters"
)

// Bounds of what /streams shows at once.
const (
	defaultShown = 100
	maxShown     = 1000
)

// openStreams is the answer of /streams.
type openStreams struct {
	Open    int             `json:"open"` // streams, shown or not
	Streams []streamSummary `json:"streams"`
}

// streamSummary shows how a stream and its source are. It names the variables
// of the path, since those of the query may be secrets, and no credentials.
type streamSummary struct {
	Route   string            `json:"route"`
	Vars    map[string]string `json:"vars,omitempty"`
	Clients int               `json:"clients"`
	Ingest  int               `json:"ingest,omitempty"` // requests that bring it events, under way
	State   sourceState       `json:"state"`
	Since   time.Time         `json:"since"`
	Reason  string            `json:"reason,omitempty"`
	Age     *float64          `json:"age,omitempty"` // seconds since the upstream last confirmed the state

	Keys *keySummary `json:"keys,omitempty"` // where clients are matched by key

	// Of an [adapters.Reporter].
	Last string    `json:"last,omitempty"`
	At   time.Time `json:"at,omitzero"`
	Next time.Time `json:"next,omitzero"`
	Why  string    `json:"why,omitempty"`
}

// keySummary shows what a stream that matches clients by key has at hand.
type keySummary struct {
	Read   int `json:"read"`   // keys with clients
	Idle   int `json:"idle"`   // and without
	Events int `json:"events"` // of all of them
}

// serveStreams lists open streams: those of one route if the query names it,
// and no more than its limit.
func (s *Server) serveStreams(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	limit, err := strconv.Atoi(cmp.Or(query.Get("limit"), strconv.Itoa(defaultShown)))
	if err != nil || limit < 0 {
		http.Error(w, "limit must be a number", http.StatusBadRequest)
		return
	}
	limit = min(limit, maxShown)
	answer := openStreams{Streams: []streamSummary{}}
	for _, p := range s.table.Load().endpoints {
		if route := query.Get("route"); route != "" && route != p.String() {
			continue
		}
		open := p.opened()
		answer.Open += len(open)
		for _, s := range open[:min(len(open), limit-len(answer.Streams))] {
			answer.Streams = append(answer.Streams, s.summary())
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

// opened returns the open streams in an order that stays.
func (p *endpoint) opened() []*stream {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.SortedFunc(maps.Values(p.streams), func(a, b *stream) int {
		return cmp.Or(cmp.Compare(a.key.vars, b.key.vars), cmp.Compare(a.key.principal, b.key.principal))
	})
}

func (s *stream) summary() streamSummary {
	p, now := s.endpoint, s.condition.Load()
	sum := streamSummary{
		Route: p.String(), Vars: p.pathVars(s.vars),
		State: now.state, Since: now.since.UTC(), Reason: now.reason,
	}
	p.mu.Lock()
	sum.Clients, sum.Ingest = s.clients, s.receiving
	p.mu.Unlock()
	if age, ok := s.age(); ok && s.can.Stateful {
		sum.Age = inSeconds(age)
	}
	if keyed, ok := s.feeds.(keyedFeeds); ok {
		stats := keyed.Stats()
		sum.Keys = &keySummary{Read: stats.Keys - stats.IdleKeys, Idle: stats.IdleKeys, Events: stats.Events}
	}
	if reporter, ok := s.source.(adapters.Reporter); ok {
		r := reporter.Report()
		sum.Last, sum.At, sum.Next, sum.Why = r.Last, r.At.UTC(), r.Next.UTC(), r.Why
	}
	return sum
}

// looks are the metrics that are computed when they are asked for.
type looks struct {
	server     *Server
	ages, keys *prometheus.Desc
}

func newLooks(s *Server) *looks {
	return &looks{
		server: s,
		ages: prometheus.NewDesc("sidestream_source_state_age_seconds",
			"Time since upstreams last confirmed the state of open streams; of each route the longest, or 0 without any.",
			[]string{"route"}, nil),
		keys: prometheus.NewDesc("sidestream_keys",
			"Keys of which open streams have a history at hand, where clients are matched by key.",
			[]string{"route", "read"}, nil),
	}
}

// Describe implements [prometheus.Collector].
func (l *looks) Describe(descs chan<- *prometheus.Desc) {
	descs <- l.ages
	descs <- l.keys
}

// Collect implements [prometheus.Collector].
func (l *looks) Collect(metrics chan<- prometheus.Metric) {
	for _, p := range l.server.table.Load().endpoints {
		if !p.can.Stateful && p.matcher == nil {
			continue
		}
		var (
			oldest     time.Duration
			read, idle int
		)
		for _, s := range p.opened() {
			if age, ok := s.age(); ok {
				oldest = max(oldest, age)
			}
			if keyed, ok := s.feeds.(keyedFeeds); ok {
				stats := keyed.Stats()
				idle += stats.IdleKeys
				read += stats.Keys - stats.IdleKeys
			}
		}
		if p.can.Stateful {
			metrics <- prometheus.MustNewConstMetric(l.ages, prometheus.GaugeValue, oldest.Seconds(), p.String())
		}
		if p.matcher != nil {
			metrics <- prometheus.MustNewConstMetric(l.keys, prometheus.GaugeValue, float64(read), p.String(), "true")
			metrics <- prometheus.MustNewConstMetric(l.keys, prometheus.GaugeValue, float64(idle), p.String(), "false")
		}
	}
}
