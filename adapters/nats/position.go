package nats

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"sidestream/adapters"
)

// An identity tells one incarnation of a stream from others, those of the same
// name included: it is part of every position, so that one that belongs to a
// stream which was deleted and created again is known for what it is.
type identity string

// identitySize is the length of an identity, in bytes: 48 bits, in base64url.
const identitySize = 8

// identify returns the identity of the stream that was created then. The time
// is the server's, in nanoseconds, and survives its restarts.
func identify(stream string, created time.Time) identity {
	sum := sha256.Sum256(strconv.AppendInt([]byte(stream+"\n"), created.UnixNano(), 10))
	return identity(base64.RawURLEncoding.EncodeToString(sum[:])[:identitySize])
}

// A place is one between two messages of a stream: right after the one with
// the sequence seq, whether it is still there or not.
type place struct {
	id  identity
	seq uint64

	// at is when the message with that sequence was stored, in seconds since
	// 1970, by the server's clock: who is at this place knew the bucket as it
	// was then, or later. It is 1 if that isn't known, and 0 for the place
	// before all messages, and for those of streams that are on files.
	at int64
}

// stored returns the place with the time at which its message was stored. The
// server has none for one that was removed.
func (p place) stored(t time.Time) place {
	if p.seq > 0 {
		p.at = max(t.Unix(), 1)
	}
	return p
}

// The parts of a position are the sequence in decimal, the identity, and for
// buckets the time in base 36: "1042-qX3_t0Wk", "1042-qX3_t0Wk-t5g2q4".
const (
	placeSeparator = "-"
	timeBase       = 36
)

// position returns the place as a position.
func (p place) position() adapters.Position {
	text := make([]byte, 0, 20+1+identitySize+1+13) // the longest
	text = strconv.AppendUint(text, p.seq, 10)
	text = append(text, placeSeparator...)
	text = append(text, p.id...)
	if p.at != 0 {
		text = append(text, placeSeparator...)
		text = strconv.AppendInt(text, p.at, timeBase)
	}
	return adapters.Position(text)
}

// parsePlace is the inverse of position. It takes nothing that position
// doesn't return.
func parsePlace(pos adapters.Position) (p place, ok bool) {
	seq, rest, _ := strings.Cut(string(pos), placeSeparator)
	if len(rest) < identitySize {
		return place{}, false
	}
	id, at := rest[:identitySize], rest[identitySize:]
	raw, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil || len(raw) != identitySize*6/8 {
		return place{}, false
	}
	p.id = identity(id)
	if p.seq, err = strconv.ParseUint(seq, 10, 64); err != nil {
		return place{}, false
	}
	if at, found := strings.CutPrefix(at, placeSeparator); found {
		if p.at, err = strconv.ParseInt(at, timeBase, 64); err != nil || p.at <= 0 {
			return place{}, false
		}
	}
	return p, p.position() == pos
}

// comparePositions implements [adapters.Capabilities].Compare.
func comparePositions(a, b adapters.Position) (order int, ok bool) {
	first, ok := parsePlace(a)
	if !ok {
		return 0, false
	}
	second, ok := parsePlace(b)
	if !ok || first.id != second.id {
		return 0, false
	}
	return cmp.Compare(first.seq, second.seq), true
}
