package sse

import (
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/net/http/httpguts"

	"sidestream/adapters"
)

// A position is, in this order of preference:
//
//   - the server's id, if it is one that every client brings back as it was,
//     and not taken for something else on its way;
//   - "=" and the id in base64url;
//   - "=." and a number, for the place behind an event without an id, or with
//     one that can't be sent to the server: it is good for as long as the feed
//     knows it, and there is no going on from there.
//
// "=" alone is where a Run begins that has no position.
const (
	coded     = "="
	unplaced  = "=."
	beginning = "="
)

// endID is the id by which clients of Sidestream, unless configured
// otherwise, are known to have all of a stream.
const endID = "-1"

// encodeID returns the position for the place behind the newest event with
// this id, and false if the server can't be told the id.
func (f *factory) encodeID(id string) (adapters.Position, bool) {
	if id == "" || !f.canSend(id) {
		return "", false
	}
	if p := adapters.Position(id); p.Valid() && !strings.HasPrefix(id, coded) && id != endID {
		return p, true
	}
	if base64.RawURLEncoding.EncodedLen(len(id)) > adapters.MaxPosition-len(coded) {
		return "", false
	}
	return adapters.Position(coded + base64.RawURLEncoding.EncodeToString([]byte(id))), true
}

// decodeID is the inverse of encodeID. It returns false for what that doesn't
// return.
func (f *factory) decodeID(p adapters.Position) (id string, ok bool) {
	id = string(p)
	if text, is := strings.CutPrefix(id, coded); is {
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			return "", false
		}
		id = string(raw)
	}
	q, ok := f.encodeID(id)
	return id, ok && q == p
}

// canSend reports whether the server can be told an id as it is.
func (f *factory) canSend(id string) bool {
	return f.options.LastEventIDParam != "" ||
		httpguts.ValidHeaderFieldValue(id) && strings.Trim(id, " \t") == id
}

// place returns the position behind an event, where id is the newest id as of
// then. Sources that let their feed number the events have none.
func (s *source) place(id string) adapters.Position {
	if s.options.IDs == idsNumber {
		return ""
	}
	if p, ok := s.encodeID(id); ok {
		return p
	}
	return adapters.Position(fmt.Sprintf("%s%s.%d", unplaced, s.nonce, s.unplaced.Add(1)))
}

// here returns the position for the place of a notice, or "" if there is none
// to go on from.
func (s *source) here(id string) adapters.Position {
	if s.options.IDs == idsNumber {
		return ""
	}
	p, _ := s.encodeID(id)
	return p
}
