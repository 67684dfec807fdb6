package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"
)

// A Record is one message of a producer.
type Record struct {
	Key       string
	Number    int    // of its key, from 1
	Partition int    // of the stream, from 0
	Sequence  uint64 // in the partition, from 1; 0: not known
	Gone      bool   // it takes its key away, and carries nothing
}

func (r Record) String() string {
	s := fmt.Sprintf("%s/%d", r.Key, r.Number)
	if r.Gone {
		s += " (gone)"
	}
	switch {
	case r.Sequence == 0:
	case r.Partition > 0:
		s += fmt.Sprintf("@%d:%d", r.Partition, r.Sequence)
	default:
		s += "@" + strconv.FormatUint(r.Sequence, 10)
	}
	return s
}

// same reports whether two records are the same message, wherever it is
// stored.
func (r Record) same(other Record) bool { return r.Key == other.Key && r.Number == other.Number }

// maxFill is the longest filling of a payload, in bytes.
const maxFill = 1200

// Payload returns what the record's message carries: JSON with its key and
// number and a filling that depends on both, so that a payload that was mixed
// up or cut is not that of any record. Some payloads have several lines.
func (r Record) Payload() []byte {
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(r.Key)) // never fails
	random := rand.New(rand.NewPCG(seed.Sum64(), uint64(r.Number)))
	letters := []rune("abcdefghijklmnopqrstuvwxyz0123456789 é世🎈")
	var fill strings.Builder
	for n := random.IntN(maxFill); fill.Len() < n; {
		fill.WriteRune(letters[random.IntN(len(letters))])
	}
	data, err := json.Marshal(message{r.Key, r.Number, fill.String()})
	if err != nil {
		panic(err) // a message can be marshalled
	}
	if random.IntN(4) > 0 {
		return data
	}
	var lines bytes.Buffer
	if err := json.Indent(&lines, data, "", "  "); err != nil {
		panic(err) // it was marshalled
	}
	return lines.Bytes()
}

// message is the form of a payload.
type message struct {
	Key    string `json:"key"`
	Number int    `json:"number"`
	Fill   string `json:"fill"`
}

// Parse returns the record that payload belongs to, without its sequence, or
// an error if it is not, byte for byte, that of a record.
func Parse(payload []byte) (Record, error) {
	var m message
	if err := json.Unmarshal(payload, &m); err != nil {
		return Record{}, fmt.Errorf("not a record: %w: %.60q", err, payload)
	}
	r := Record{Key: m.Key, Number: m.Number}
	if want := r.Payload(); !bytes.Equal(payload, want) {
		at := 0
		for at < min(len(payload), len(want)) && payload[at] == want[at] {
			at++
		}
		return Record{}, fmt.Errorf("not what %v carries: %d bytes, different from byte %d on, in place of %d", r, len(payload), at, len(want))
	}
	return r, nil
}

// Sequence returns the sequence that an event id starts with, and what
// follows it, which names the incarnation of the stream.
func Sequence(id string) (sequence uint64, incarnation string, err error) {
	digits, incarnation, ok := strings.Cut(id, "-")
	sequence, err = strconv.ParseUint(digits, 10, 64)
	if err != nil || !ok || incarnation == "" || strconv.FormatUint(sequence, 10) != digits {
		return 0, "", fmt.Errorf("id %.80q is not of the form <sequence>-<incarnation>", id)
	}
	return sequence, incarnation, nil
}
