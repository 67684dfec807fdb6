package mapping

import (
	"strconv"
	"strings"

	"sidestream/adapters"
)

// Split returns the id of the nth (from 1) of several events made of one
// message. The last of them has the message's own position instead, so that a
// client that has it asks for the next message, and one that has only the nth
// asks for the same message again, less n events.
//
// pos is the position before the message, which is what comes when the source
// is run from there; or, where the source is Partitioned and something else may
// come, the message's own.
func Split(pos adapters.Position, n int) adapters.Position {
	return pos + "~" + adapters.Position(strconv.Itoa(n))
}

// Join takes an id apart: the position that was given to [Split], and how many
// of the message's first events the client has already; or the position of an
// event, and 0.
func Join(id string) (pos adapters.Position, skip int) {
	text, n, ok := strings.Cut(id, "~")
	if !ok {
		return adapters.Position(id), 0
	}
	skip, err := strconv.Atoi(n)
	if err != nil || skip < 1 || skip > 1<<20 {
		return adapters.Position(id), 0
	}
	return adapters.Position(text), skip
}
