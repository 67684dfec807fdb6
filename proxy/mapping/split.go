package mapping

import (
	"strconv"
	"strings"

	"sidestream/adapters"
)

// Split returns the id of the nth (from 1) of several events made of the
// message after prev. The last of them has the message's own position
// instead, so that a client that has it asks for the next message, and one
// that has only the nth asks for the same message again, less n events.
func Split(prev adapters.Position, n int) adapters.Position {
	return prev + "~" + adapters.Position(strconv.Itoa(n))
}

// Join takes an id apart: the position to run the source from, and how many
// of the first events after it the client has already.
func Join(id string) (after adapters.Position, skip int) {
	pos, n, ok := strings.Cut(id, "~")
	if !ok {
		return adapters.Position(id), 0
	}
	skip, err := strconv.Atoi(n)
	if err != nil || skip < 1 || skip > 1<<20 {
		return adapters.Position(id), 0
	}
	return adapters.Position(pos), skip
}
