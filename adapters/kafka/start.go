package kafka

import (
	"strconv"
	"time"

	"sidestream/adapters"
)

// Start says where in each partition to begin. In YAML it is a word, or a
// mapping with one of Time and Offset. The zero value is "latest", or, with
// compacted or if clients of the route are to start with the newest event of
// each key, "earliest".
type Start struct {
	Time   time.Time `yaml:"time"`   // begin with the first record of this time (RFC 3339) or later
	Offset *int64    `yaml:"offset"` // begin with this offset, or with the oldest record if that is later

	word string
}

// The words of a [Start].
const (
	startLatest   = "latest"   // what comes from then on
	startEarliest = "earliest" // all that the topics hold
)

// Values implements [adapters.Choice].
func (Start) Values() []string { return []string{startLatest, startEarliest} }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Start) UnmarshalText(text []byte) error {
	*s = Start{word: string(text)}
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (s Start) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s Start) String() string {
	switch {
	case s.word != "":
		return s.word
	case s.Offset != nil:
		return "offset " + strconv.FormatInt(*s.Offset, 10)
	case !s.Time.IsZero():
		return "time " + s.Time.Format(time.RFC3339Nano)
	default:
		return startLatest
	}
}

// check adds what is wrong with s to c. newest says that clients are to start
// with the newest event of each key.
func (s Start) check(c *adapters.OptionErrors, compacted, newest bool) {
	if s.word != "" {
		c.OneOf("start", s.word, s.Values()...)
	}
	c.Refuse(s.Offset != nil && !s.Time.IsZero(), "start", "begins at an offset or at a time, not both")
	c.Refuse(s.Offset != nil && *s.Offset < 0, "start.offset", "is negative; the first offset of a partition is 0")
	c.Refuse(!s.Time.IsZero() && s.Time.UnixMilli() < 0, "start.time", "is before 1970; write %s for all that the topics hold", startEarliest)
	c.Refuse(newest && s.word == startLatest, "start", "the route's clients start with the newest event of each key, of which there would be none; leave this out, or write %s", startEarliest)
	c.Refuse(compacted && s != (Start{}) && s.word != startEarliest, "start", "the state of each key is made of all records; with compacted leave this out, or write %s", startEarliest)
}
