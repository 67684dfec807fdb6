package proxy

import (
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const eventStreamType = "text/event-stream"

// wantsStream reports whether a request is for the stream rather than for
// what the application itself has at the same path: its Accept names
// text/event-stream and likes nothing better (RFC 9110 section 12.5.1). A
// wildcard alone asks for the application's own answer.
func wantsStream(h http.Header) bool {
	stream, other := 0.0, 0.0
	for r := range acceptRanges(h) {
		if r.typ == eventStreamType {
			stream = max(stream, r.q)
		} else {
			other = max(other, r.q)
		}
	}
	return stream > 0 && stream >= other
}

// canTakeStream reports whether a response of type text/event-stream is
// acceptable at all. The most specific range that fits decides.
func canTakeStream(h http.Header) bool {
	if len(h.Values("Accept")) == 0 {
		return true
	}
	quality, specific, some := 0.0, -1, false
	for r := range acceptRanges(h) {
		some = true
		rank := map[string]int{"*/*": 0, "text/*": 1, eventStreamType: 2}
		if n, fits := rank[r.typ]; fits && n >= specific {
			quality, specific = r.q, n
		}
	}
	return quality > 0 || !some
}

type mediaRange struct {
	typ string
	q   float64
}

// acceptRanges yields the ranges of an Accept header; what can't be parsed
// is passed over.
func acceptRanges(h http.Header) func(yield func(mediaRange) bool) {
	return func(yield func(mediaRange) bool) {
		for _, line := range h.Values("Accept") {
			for item := range strings.SplitSeq(line, ",") {
				typ, params, err := mime.ParseMediaType(item)
				if err != nil {
					continue
				}
				q := 1.0
				if s, ok := params["q"]; ok {
					if q, err = strconv.ParseFloat(s, 64); err != nil || q < 0 || q > 1 {
						continue
					}
				}
				if !yield(mediaRange{typ, q}) {
					return
				}
			}
		}
	}
}

// lastEventIDParams are how clients that can't set headers send the last
// event id (R4).
func lastEventIDParams() []string { return []string{"lastEventId", "last-event-id", "last_event_id"} }

func isLastEventIDParam(name string) bool {
	for _, p := range lastEventIDParams() {
		if p == name {
			return true
		}
	}
	return false
}

// lastEventID returns the id that the client wants to go on after, or "".
// The header wins over the query.
func lastEventID(h http.Header, query url.Values) string {
	if id := h.Get("Last-Event-ID"); id != "" {
		return id
	}
	for _, p := range lastEventIDParams() {
		if id := query.Get(p); id != "" {
			return id
		}
	}
	return ""
}
