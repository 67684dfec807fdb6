package proxy

import (
	"encoding/json"
	"strings"
	"time"

	"sidestream/adapters"
	"sidestream/proxy/eventstream"
	"sidestream/proxy/feed"
)

// Types of the events that Sidestream itself sends. A source's event whose
// type has their prefix is refused, so that clients can trust them.
const (
	typeGap   = adapters.ReservedPrefix + "gap"
	typeStale = adapters.ReservedPrefix + "stale"
	typeFresh = adapters.ReservedPrefix + "fresh"
	typeLive  = adapters.ReservedPrefix + "live"
	typeEnd   = adapters.ReservedPrefix + "end"
)

// gapData is the payload of stream.gap.
type gapData struct {
	Reason    adapters.LostReason `json:"reason"`
	Requested string              `json:"requested"` // the id that the client had
	Resumed   string              `json:"resumed"`   // the id that delivery goes on after; empty if there is none yet
	Lost      *int64              `json:"lost"`      // events; null if unknown
}

func appendGap(dst []byte, id string, g *feed.Gap) []byte {
	d := gapData{Reason: g.Reason, Requested: clip(g.Requested), Resumed: clip(g.Resumed)}
	if g.Lost >= 0 {
		d.Lost = &g.Lost
	}
	return appendControl(dst, id, typeGap, d)
}

// conditionData is the payload of stream.stale and stream.fresh.
type conditionData struct {
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
}

// liveData is the payload of stream.live.
type liveData struct {
	// Age is for how many seconds the upstream hasn't confirmed the state
	// that the client has now. Sources without state have none.
	Age *float64 `json:"age,omitempty"`
}

// inSeconds returns d in seconds, in steps of a millisecond.
func inSeconds(d time.Duration) *float64 {
	s := float64(max(d, 0).Milliseconds()) / 1000
	return &s
}

// deniedData is the payload of the last event of a stream whose upstream
// refuses its clients' credentials.
type deniedData struct {
	Status int    `json:"status"` // 401 or 403
	Reason string `json:"reason"`
}

// appendControl appends a control event. It carries id, the one that the
// client has already, so that it changes nothing for a client that keeps the
// id of the last event, and loses nothing for one that doesn't (C1).
func appendControl(dst []byte, id, typ string, data any) []byte {
	text, err := json.Marshal(data)
	if err != nil {
		panic(err) // data is one of the types above
	}
	return appendText(dst, id, typ, string(text))
}

// appendText appends an event whose parts were checked when the table was
// loaded.
func appendText(dst []byte, id, typ, data string) []byte {
	dst, err := eventstream.AppendEvent(dst, &eventstream.Event{ID: id, Type: typ, Data: []byte(data)})
	if err != nil {
		panic(err) // the parts were checked
	}
	return dst
}

// clip makes an id that a client sent fit to be sent back.
func clip(id string) string {
	return strings.ToValidUTF8(id[:min(len(id), eventstream.MaxID)], "\uFFFD")
}
