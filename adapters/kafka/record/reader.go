package record

import (
	"errors"
	"io"
)

// Options say what of a set is delivered.
type Options struct {
	// Committed: leave out the records of aborted transactions.
	Committed bool

	// Aborted are the aborted transactions of the response that the set came
	// in, in any order. They count only if Committed is true.
	Aborted []Aborted

	// MaxBytes bounds what the records of one batch may take, decompressed,
	// and what the headers of one record may take in memory. Zero or less:
	// [DefaultMaxBytes].
	MaxBytes int
}

// DefaultMaxBytes is the bound on a batch if none is given. It is 64 times what
// brokers take for a compressed one by default.
const DefaultMaxBytes = 64 << 20

// A Reader reads the records of a set: the records of one partition as they
// come in one Fetch response. It is for one goroutine, and needs not be closed.
type Reader struct {
	set   []byte // what is left of it
	from  int64
	after int64 // the least offset that the next batch may begin with
	max   int

	transactions transactions // none, if the records of all are delivered

	open     contents
	batch    batch    // if open is inBatch
	messages messages // if open is inMessages
	last     int64    // the last offset of the frame that was entered last

	offset int64
	err    error // what Next goes on returning
}

// contents is what kind of frame the reader is inside of.
type contents int8

const (
	between contents = iota
	inBatch
	inMessages
)

// NewReader returns a reader of the records of set at and behind offset from.
// It does nothing yet. The set must not be changed before the reader and all of
// its records are done with.
func NewReader(set []byte, from int64, o Options) *Reader {
	r := &Reader{set: set, from: from, offset: from, max: o.MaxBytes}
	if r.max <= 0 {
		r.max = DefaultMaxBytes
	}
	if o.Committed {
		r.transactions = newTransactions(o.Aborted)
	}
	return r
}

// Next returns the next record, or io.EOF at the end of the set. It returns a
// [*TooLargeError] for what is passed over because of its size, and goes on
// behind it if called again. After any other error, which is a [*CorruptError],
// nothing more can be read, and Next returns the same again.
func (r *Reader) Next() (Record, error) {
	var rec Record
	for r.err == nil {
		ok, err := r.step(&rec)
		if ok {
			r.offset = rec.Offset + 1
			return rec, nil
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			r.err = io.EOF
		case isTooLarge(err):
			return Record{}, err
		default:
			r.err = &CorruptError{Offset: r.offset, Err: err}
		}
	}
	return Record{}, r.err
}

// Offset returns the place behind all that Next has returned or passed over:
// the offset to go on from, at least the one that was asked for. Once Next has
// returned io.EOF, that is what [End] says, behind control batches, what was
// left out, and what compaction has taken out. After a [*CorruptError] it is
// where the set is corrupt.
func (r *Reader) Offset() int64 { return r.offset }

// step reads one record into rec and returns true, or gets by something that
// has none, or returns an error, which is io.EOF at the end of the set.
func (r *Reader) step(rec *Record) (bool, error) {
	var err error
	switch r.open {
	case inBatch:
		err = r.batch.next(r.from, rec)
	case inMessages:
		err = r.messages.next(r.from, rec)
	default:
		return r.enter(rec)
	}
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, io.EOF):
		r.leave()
		return false, nil
	case errors.Is(err, errTooLarge):
		r.offset = rec.Offset + 1
		return false, &TooLargeError{First: rec.Offset, Last: rec.Offset, Records: 1}
	}
	return false, err
}

// enter goes into the frame that follows. If that is a message by itself, it is
// read into rec.
func (r *Reader) enter(rec *Record) (bool, error) {
	f, err := nextFrame(r.set, r.after)
	if err != nil {
		return false, err
	}
	r.set, r.last = r.set[len(f.bytes):], f.last
	if f.magic == 2 {
		return false, r.enterBatch(f)
	}
	return r.enterMessage(f, rec)
}

func (r *Reader) enterBatch(f frame) error {
	b := &r.batch
	if err := b.parse(f, r.max); err != nil {
		return err
	}
	leftOut, err := r.leavesOut(b)
	if err != nil {
		return err
	}
	if leftOut || f.last < r.from {
		r.leave()
		return nil
	}
	err = b.open()
	if errors.Is(err, errTooLarge) {
		r.leave()
		return &TooLargeError{First: b.first, Last: b.last, Records: b.count}
	}
	r.open = inBatch
	return err
}

// leavesOut reports whether none of the records of b is to be delivered, since
// they are control records or of an aborted transaction. It must be asked
// about every batch, since those before tell what becomes of those behind.
func (r *Reader) leavesOut(b *batch) (bool, error) {
	r.transactions.reach(b.last)
	aborted := r.transactions.has(b.producer)
	if !b.is(control) {
		return aborted && b.is(transactional), nil
	}
	if !aborted {
		return true, nil
	}
	if err := b.open(); err != nil {
		return false, err
	}
	var marker Record
	switch err := b.next(b.first, &marker); {
	case errors.Is(err, io.EOF): // compaction has taken it out
		return true, nil
	case err != nil:
		return false, err
	}
	return true, r.transactions.end(b.producer, marker.Key)
}

func (r *Reader) enterMessage(f frame, rec *Record) (bool, error) {
	var m message
	if err := m.parse(f); err != nil {
		return false, err
	}
	if f.last < r.from {
		r.leave()
		return false, nil
	}
	if m.codec() != uncompressed {
		err := r.messages.open(f, &m, r.after, r.max)
		if errors.Is(err, errTooLarge) {
			large := &TooLargeError{First: r.offset, Last: f.last}
			r.leave()
			return false, large
		}
		r.open = inMessages
		return false, err
	}
	r.leave()
	if len(f.bytes) > r.max {
		return false, &TooLargeError{First: f.last, Last: f.last, Records: 1}
	}
	*rec = Record{Offset: f.last, Time: timeOf(m.timestamp), Key: m.key, Value: m.value}
	return true, nil
}

// leave moves behind the frame that the reader has entered.
func (r *Reader) leave() {
	r.open = between
	r.after = r.last + 1
	r.offset = max(r.offset, r.after)
}
