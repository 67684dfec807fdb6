package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sidestream/proxy/eventstream"
)

// BenchmarkBehindProxies measures how long an event takes through each of the
// documented proxies: from before it is sent to Sidestream until a client has
// it, with nothing else under way. Through none it is mostly the way in.
func BenchmarkBehindProxies(b *testing.B) {
	s := serve(b, `
routes:
  - path: /events
    live_marker: true
    webhook: {ingest: /ingest, verify: {none: true}}
`)
	b.Run("none", func(b *testing.B) {
		measureDelay(b, s, s.url, transportTo(b, "HTTP/1.1", nil))
	})
	for _, tt := range fronts() {
		f := startFront(b, tt.frontSetup, s.url)
		for _, protocol := range f.protocols() {
			b.Run(strings.ReplaceAll(f.name, " ", "-")+"/"+protocol, func(b *testing.B) {
				measureDelay(b, s, f.url, f.transport(b, protocol))
			})
		}
		f.crash(b)
	}
}

// measureDelay sends events to s one after the other, and reads them at url.
func measureDelay(b *testing.B, s *sidestream, url string, transport http.RoundTripper) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url+"/events", http.NoBody)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := transport.RoundTrip(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	dec := eventstream.NewDecoder(resp.Body, nil)
	if _, err := dec.Next(); err != nil { // stream.live
		b.Fatal(err)
	}
	hook := &http.Client{Transport: transportTo(b, "HTTP/1.1", nil), Timeout: patience}
	const events = 100
	for b.Loop() {
		delays := make([]time.Duration, events)
		for i := range delays {
			began := time.Now()
			answer, err := hook.Post(s.url+"/ingest", "text/plain", strings.NewReader(fmt.Sprint("event ", i)))
			if err != nil {
				b.Fatal(err)
			}
			_ = answer.Body.Close()
			if _, err := dec.Next(); err != nil {
				b.Fatal(err)
			}
			delays[i] = time.Since(began)
		}
		slices.Sort(delays)
		b.ReportMetric(float64(delays[events/2].Microseconds()), "p50-us")
		b.ReportMetric(float64(delays[events*9/10].Microseconds()), "p90-us")
		b.ReportMetric(0, "ns/op")
	}
}
