package proxy

import (
	"cmp"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"sidestream/adapters"
)

// metrics are what the server counts, registered with a registry of its own.
type metrics struct {
	registry *prometheus.Registry

	clients       *prometheus.GaugeVec
	streams       *prometheus.GaugeVec
	sources       *prometheus.GaugeVec
	eventsIn      *prometheus.CounterVec
	eventsSent    *prometheus.CounterVec
	bytesSent     *prometheus.CounterVec
	droppedEvents *prometheus.CounterVec
	gaps          *prometheus.CounterVec
	disconnects   *prometheus.CounterVec
	results       *prometheus.CounterVec
	fanOut        *prometheus.HistogramVec
	passthrough   *prometheus.CounterVec
	ingests       *prometheus.CounterVec
	received      *prometheus.CounterVec
	refusals      *prometheus.CounterVec
	reloads       *prometheus.CounterVec
	reloaded      prometheus.Gauge
}

func newMetrics(version string) *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "sidestream", Name: name, Help: help}, labels)
		m.registry.MustRegister(v)
		return v
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "sidestream", Name: name, Help: help}, labels)
		m.registry.MustRegister(v)
		return v
	}
	m.clients = gauge("clients", "Connected clients.", "route")
	m.streams = gauge("streams", "Open streams.", "route")
	m.sources = gauge("sources", "Sources of open streams by state: starting, fresh, stale, ended or failed.", "route", "state")
	m.eventsIn = counter("source_events_total", "Events that sources delivered.", "route", "adapter")
	m.eventsSent = counter("sent_events_total", "Events written to clients.", "route")
	m.bytesSent = counter("sent_bytes_total", "Bytes of events written to clients.", "route")
	m.droppedEvents = counter("dropped_events_total", "Events of sources that were not delivered, by reason.", "route", "reason")
	m.gaps = counter("gaps_total", "Gaps announced, to all clients of a stream or to one, by reason.", "route", "reason")
	m.disconnects = counter("disconnects_total", "Clients that left, by reason.", "route", "reason")
	m.results = counter("source_results_total", "Exchanges with upstreams, by outcome.", "route", "adapter", "result")
	m.passthrough = counter("passthrough_responses_total", "Responses of applications passed through, by status code.", "code")
	m.ingests = counter("ingest_requests_total", "Requests that bring events, by the class of their answer: 2xx, 4xx, 5xx.", "route", "class")
	m.received = counter("ingest_events_total", "Events of such requests that are where clients get them from.", "route")
	m.refusals = counter("refused_connections_total", "Connections that got no service, by reason: too_many (of their address; told to come back, or closed) or proxy_header (a peer in proxy_protocol sent no proper one; closed).", "reason")
	for _, reason := range []string{refusedTooMany, refusedHeader} {
		m.refused(reason)
	}
	m.reloads = counter("config_reloads_total", "Attempts to load a changed routing table.", "result")
	m.fanOut = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "sidestream", Name: "fanout_seconds",
		Help:    "Time from an event's arrival in the feed until it was written to a client that was waiting, for the oldest event of each batch.",
		Buckets: prometheus.ExponentialBuckets(0.0001, 4, 10),
	}, []string{"route"})
	m.reloaded = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "sidestream", Name: "config_last_reload_success_timestamp_seconds",
		Help: "When the routing table in service was loaded.",
	})
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "sidestream", Name: "build_info", Help: "Always 1; the label says which version runs.",
		ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(m.fanOut, m.reloaded, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Reasons to refuse a connection.
const (
	refusedTooMany = "too_many"
	refusedHeader  = "proxy_header"
)

func (m *metrics) refused(reason string) prometheus.Counter {
	return m.refusals.WithLabelValues(reason)
}

func (m *metrics) passedThrough(code int) {
	m.passthrough.WithLabelValues(strconv.Itoa(code)).Inc()
}

// routeMetrics are the metrics of one route.
type routeMetrics struct {
	all     *metrics
	name    string
	adapter string

	clients  prometheus.Gauge
	streams  prometheus.Gauge
	eventsIn prometheus.Counter
	events   prometheus.Counter
	bytes    prometheus.Counter
	fanOut   prometheus.Observer
	received prometheus.Counter // nil where no request brings events
}

func (m *metrics) route(r *Route) *routeMetrics {
	name := r.String()
	rm := &routeMetrics{
		all: m, name: name, adapter: r.Adapter,
		clients:  m.clients.WithLabelValues(name),
		streams:  m.streams.WithLabelValues(name),
		eventsIn: m.eventsIn.WithLabelValues(name, r.Adapter),
		events:   m.eventsSent.WithLabelValues(name),
		bytes:    m.bytesSent.WithLabelValues(name),
		fanOut:   m.fanOut.WithLabelValues(name),
	}
	// A counter that stands at 0 tells more than one that isn't there.
	for _, why := range departures() {
		m.disconnects.WithLabelValues(name, string(why))
	}
	for _, state := range sourceStates() {
		m.sources.WithLabelValues(name, string(state))
	}
	if _, ok := r.ingest(); ok {
		rm.received = m.received.WithLabelValues(name)
		for _, status := range []int{http.StatusOK, http.StatusBadRequest, http.StatusInternalServerError} {
			m.ingests.WithLabelValues(name, statusClass(status))
		}
	}
	return rm
}

func (m *routeMetrics) sent(events int, bytes int64) {
	m.events.Add(float64(events))
	m.bytes.Add(float64(bytes))
}

func (m *routeMetrics) dropped(reason string) {
	m.all.droppedEvents.WithLabelValues(m.name, reason).Inc()
}

func (m *routeMetrics) gap(reason adapters.LostReason) {
	m.all.gaps.WithLabelValues(m.name, string(reason)).Inc()
}

func (m *routeMetrics) departed(why departure) {
	m.all.disconnects.WithLabelValues(m.name, string(why)).Inc()
}

func (m *routeMetrics) sourceResult(outcome string) {
	m.all.results.WithLabelValues(m.name, m.adapter, outcome).Inc()
}

// ingested counts a request that brings events by the status of its answer; 0
// is what net/http answers where a handler says nothing.
func (m *routeMetrics) ingested(status int) {
	m.all.ingests.WithLabelValues(m.name, statusClass(cmp.Or(status, http.StatusOK))).Inc()
}

func statusClass(status int) string { return strconv.Itoa(status/100) + "xx" }

func (m *routeMetrics) streamOpened() {
	m.streams.Inc()
	m.all.sources.WithLabelValues(m.name, string(sourceStarting)).Inc()
}

func (m *routeMetrics) sourceState(from, to sourceState) {
	m.all.sources.WithLabelValues(m.name, string(from)).Dec()
	m.all.sources.WithLabelValues(m.name, string(to)).Inc()
}

func (m *routeMetrics) streamClosed(state sourceState) {
	m.streams.Dec()
	m.all.sources.WithLabelValues(m.name, string(state)).Dec()
}
