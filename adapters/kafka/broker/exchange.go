package broker

import (
	"time"

	"github.com/segmentio/kafka-go/protocol"
)

// An exchange is one request with its answer.
type exchange interface {
	form() form
	encode(e *encoder, version int16)

	// decode is called at most once, with the whole of the answer. What it
	// can't read is left to the decoder's error.
	decode(d *decoder, version int16)
}

// A form is what all exchanges of a kind have in common, and some more.
type form struct {
	key      protocol.ApiKey
	versions []span        // those that would do, the best first
	flexible int16         // the first version that is flexible; 0: none is
	wait     time.Duration // for how long the broker may wait before it answers
}

// A span is a range of versions, both ends included.
type span struct{ min, max int16 }

// choose returns the best version out of those that a broker offers.
func (f form) choose(offered map[protocol.ApiKey]span) (version int16, ok bool) {
	theirs, ok := offered[f.key]
	if !ok {
		return 0, false
	}
	for _, ours := range f.versions {
		if version = min(ours.max, theirs.max); version >= max(ours.min, theirs.min) {
			return version, true
		}
	}
	return 0, false
}
