package lease

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A record is what an entry of the bucket says.
type record struct {
	ID       string `json:"id"`                 // the contender that has written it
	Holder   string `json:"holder"`             // and its process
	TTL      int64  `json:"ttl_ms"`             // for how long it counts without a change
	Term     uint64 `json:"term,omitempty"`     // 0 in a term's first entry, whose revision it is
	State    string `json:"state,omitempty"`    // as told by the holder
	Released bool   `json:"released,omitempty"` // the holder has given it up
}

// An entry is the state of a lease. The zero value is that of one that nobody
// has taken yet.
type entry struct {
	record
	revision uint64 // 0: there is none
}

// parse returns the entry that a message of the bucket's stream is. One that
// isn't a record is nobody's that is known: it counts until its TTL is over.
func parse(data []byte, header natsgo.Header, revision uint64) entry {
	e := entry{revision: revision}
	if header.Get("KV-Operation") != "" || header.Get(jetstream.MarkerReasonHeader) != "" {
		e.Released = true // deleted or purged, by somebody else's hands
		e.Term = revision
		return e
	}
	if err := json.Unmarshal(data, &e.record); err != nil {
		e.record = record{}
	}
	if e.Term == 0 {
		e.Term = revision
	}
	return e
}

// free reports whether the lease is nobody's.
func (e *entry) free() bool { return e.revision == 0 || e.Released }

// lasts returns for how long the entry counts without a change. A replica of
// another TTL is given its own.
func (e *entry) lasts(otherwise time.Duration) time.Duration {
	ttl := time.Duration(e.TTL) * time.Millisecond
	if e.TTL <= 0 || e.TTL > maxTTL.Milliseconds() {
		return otherwise
	}
	return ttl
}

// errChanged says that an entry isn't the one that was to be replaced.
var errChanged = errors.New("the lease has changed")

// write replaces the entry of that revision, or the one that isn't there if
// that is 0. The error is errChanged if there is another one now; any other
// one leaves open whether it was written.
func (b *Bucket) write(ctx context.Context, key string, r record, expected uint64) (revision uint64, err error) {
	data, err := json.Marshal(r)
	if err != nil {
		return 0, fmt.Errorf("encode a lease: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, b.options.request())
	defer cancel()
	revision, err = b.kv.Update(ctx, key, data, expected)
	switch {
	case errors.Is(err, jetstream.ErrKeyRevisionMismatch):
		return 0, errChanged
	case err != nil:
		return 0, fmt.Errorf("write to lease bucket %s: %w", b.options.Bucket, err)
	}
	b.know(revision)
	return revision, nil
}

// read returns the entry as it is, or was a moment ago on the server that
// answers.
func (b *Bucket) read(ctx context.Context, key string) (entry, error) {
	ctx, cancel := context.WithTimeout(ctx, b.options.request())
	defer cancel()
	m, err := b.stream.GetLastMsgForSubject(ctx, b.prefix+key)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return entry{}, nil
	case err != nil:
		return entry{}, fmt.Errorf("read from lease bucket %s: %w", b.options.Bucket, err)
	}
	return parse(m.Data, m.Header, m.Sequence), nil
}

// maxKey bounds the readable part of a key.
const maxKey = 128

// keyOf returns the key of the lease called name, which may be any text.
// Different names have different keys: what a key can't have in it is escaped,
// and a hash tells long names from one another, after a dot, which no other key
// has.
func keyOf(name string) string {
	var b strings.Builder
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '/':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "=%02x", c)
		}
	}
	switch key := b.String(); {
	case key == "":
		return "="
	case len(key) > maxKey:
		sum := sha256.Sum256([]byte(name))
		return key[:maxKey] + "." + hex.EncodeToString(sum[:16])
	default:
		return key
	}
}
