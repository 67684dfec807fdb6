package proxy

import (
	"encoding/json"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// adminHandler serves what operators and their tools look at. It shows no
// configuration values, no payloads, and of requests nothing but the variables
// of their paths.
func (s *Server) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.HandleFunc("GET /readyz", s.serveReady)
	mux.HandleFunc("GET /streams", s.serveStreams)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{Registry: s.metrics.registry}))
	return mux
}

// readiness is the answer of /readyz.
type readiness struct {
	Ready  bool           `json:"ready"`
	Routes []routeSummary `json:"routes"`
}

type routeSummary struct {
	Route   string              `json:"route"`
	Adapter string              `json:"adapter"`
	Clients int64               `json:"clients"`
	Streams int                 `json:"streams"`
	Sources map[sourceState]int `json:"sources"` // streams by the state of their source
}

// serveReady answers 200 once the routing table is in service, until the
// server drains. A source that fails makes the server no less ready: its
// clients are better off here, where they are told, than nowhere.
func (s *Server) serveReady(w http.ResponseWriter, _ *http.Request) {
	answer := readiness{Ready: s.ready.Load(), Routes: []routeSummary{}}
	for _, p := range s.table.Load().endpoints {
		answer.Routes = append(answer.Routes, p.summary())
	}
	w.Header().Set("Content-Type", "application/json")
	if !answer.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (p *endpoint) summary() routeSummary {
	p.mu.Lock()
	defer p.mu.Unlock()
	sum := routeSummary{
		Route: p.String(), Adapter: p.Adapter,
		Clients: p.clients.Load(), Streams: len(p.streams), Sources: map[sourceState]int{},
	}
	for _, s := range p.streams {
		sum.Sources[s.condition.Load().state]++
	}
	return sum
}
