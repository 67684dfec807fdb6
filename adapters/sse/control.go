package sse

import (
	"encoding/json"
	"net/http"
	"strings"
	"unicode"

	"sidestream/adapters"
	"sidestream/proxy/eventstream"
)

// Types of the events by which another Sidestream speaks of its stream.
const (
	typeGap   = adapters.ReservedPrefix + "gap"
	typeStale = adapters.ReservedPrefix + "stale"
	typeFresh = adapters.ReservedPrefix + "fresh"
	typeLive  = adapters.ReservedPrefix + "live"
	typeEnd   = adapters.ReservedPrefix + "end"
)

// control emits what an event of a reserved type says if it comes from
// another Sidestream, which shows in its payload.
func (c *connection) control(e *eventstream.Event) error {
	switch e.Type {
	case typeGap:
		return c.gap(e)
	case typeStale:
		return c.sicken(e)
	case typeFresh:
		if _, ok := condition(e.Data); ok {
			c.stale = ""
			return c.settled(e)
		}
	case typeLive:
		if isObject(e.Data) {
			return c.settled(e)
		}
	case typeEnd:
		// Its payload is for that Sidestream's configuration to say. It was
		// the end if nothing follows.
		c.end = &goodbye{c.farewell(e.Data), e.ID}
		return nil
	}
	return c.refuse(e.ID)
}

// settled emits a notice that there is no more for now.
func (c *connection) settled(e *eventstream.Event) error {
	return c.tell(adapters.Event{Live: true, Stale: c.stale, Position: c.here(e.ID)}, e.ID)
}

// maxReason is the longest reason that is told on, in bytes.
const maxReason = 200

// sicken emits a notice that the server's upstream is not well.
func (c *connection) sicken(e *eventstream.Event) error {
	reason, ok := condition(e.Data)
	if !ok {
		return c.refuse(e.ID)
	}
	c.stale = reason
	return c.tell(adapters.Event{Stale: reason, Position: c.here(e.ID)}, e.ID)
}

// condition returns the reason that a stale or fresh event gives.
func condition(data []byte) (reason string, ok bool) {
	var said struct {
		Since  *string `json:"since"`
		Reason *string `json:"reason"`
	}
	if json.Unmarshal(data, &said) != nil || said.Since == nil || said.Reason == nil {
		return "", false
	}
	reason = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, *said.Reason)
	if len(reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:maxReason], "")
	}
	if reason = strings.TrimSpace(reason); reason == "" {
		reason = "upstream is stale"
	}
	return reason, true
}

func isObject(data []byte) bool {
	var object map[string]json.RawMessage
	return json.Unmarshal(data, &object) == nil && object != nil
}

// gap emits a notice that events are missing or, if it is the answer to the
// id that the run was to begin after, returns that this is lost.
func (c *connection) gap(e *eventstream.Event) error {
	var said struct {
		Reason    adapters.LostReason `json:"reason"`
		Requested *string             `json:"requested"`
		Resumed   *string             `json:"resumed"`
		Lost      *int64              `json:"lost"`
	}
	if json.Unmarshal(e.Data, &said) != nil || said.Requested == nil || said.Resumed == nil {
		return c.refuse(e.ID)
	}
	lost := int64(-1)
	if said.Lost != nil {
		lost = max(*said.Lost, lost)
	}
	switch said.Reason {
	case adapters.LostExpired, adapters.LostRecreated, adapters.LostUnknown:
		if c.given && *said.Requested == c.lastID {
			return c.lose(said.Reason, *said.Resumed, lost)
		}
	case adapters.LostOverflow, adapters.LostInvalid:
	default:
		return c.refuse(e.ID)
	}
	id := e.ID
	if *said.Resumed != "" {
		id = *said.Resumed
	}
	c.missed = false // it says so itself, and more of it
	return c.tell(adapters.Event{
		Position: c.here(id),
		Gap:      &adapters.Gap{Reason: said.Reason, Lost: lost},
	}, id)
}

func (c *connection) lose(reason adapters.LostReason, resumed string, lost int64) error {
	e := &adapters.PositionLostError{Reason: reason, Lost: lost}
	if c.options.IDs == idsReplay {
		e.Resume = c.here(resumed)
	}
	return e
}

// farewell returns what the last event of a stream says: that it is over, or
// that whoever asked is not to have it.
func (c *connection) farewell(data []byte) error {
	var said struct {
		Status int    `json:"status"`
		Reason string `json:"reason"`
	}
	if json.Unmarshal(data, &said) != nil || said.Reason != "denied" || said.Status != http.StatusUnauthorized && said.Status != http.StatusForbidden {
		return errOver
	}
	if len(c.options.Forward) == 0 {
		return statusError(said.Status)
	}
	return &adapters.DeniedError{Status: said.Status}
}
