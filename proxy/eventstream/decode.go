package eventstream

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"time"
)

const (
	defaultMaxEvent = 1 << 20

	// lineRoom is what a line may by default be longer than a payload: room
	// for a field's name, and for ids, types and comments where payloads are
	// bounded to little.
	lineRoom = 4 << 10

	// readSize is how much is read at a time, in bytes.
	readSize = 4 << 10

	// maxEmptyReads is how often in a row a reader may return no byte and no
	// error before it is taken for broken.
	maxEmptyReads = 100

	// maxRetry is the longest retry in milliseconds that fits a
	// time.Duration: about 292 years.
	maxRetry = math.MaxInt64 / int64(time.Millisecond)
)

// DecoderOptions bound what a [Decoder] holds in memory, and say where it
// starts.
type DecoderOptions struct {
	// MaxEvent is the longest payload of an event, in bytes. Zero means 1 MiB.
	MaxEvent int

	// MaxLine is the longest line, in bytes without its line break. Zero
	// means 4 KiB more than MaxEvent.
	MaxLine int

	// LastEventID is the newest id from before the stream began, that of a
	// stream which this one continues. Events without an id have it until
	// the stream names another or, by an id line without a value, none.
	// Chromium does so; in the standard every stream starts without one.
	LastEventID string
}

// A TooLongError reports an event that the [Decoder] has skipped because of a
// bound of [DecoderOptions].
type TooLongError struct {
	Part  string // what was too long: "line" or "event"
	Limit int    // the bound that was exceeded, in bytes
}

func (e *TooLongError) Error() string {
	return fmt.Sprintf("%s exceeds %d bytes", e.Part, e.Limit)
}

// A Decoder reads the events of one stream, which is one HTTP response. It is
// not safe for concurrent use.
type Decoder struct {
	r        io.Reader
	maxLine  int
	maxEvent int

	buf     []byte // what the last read filled
	unread  []byte // the rest of it
	afterCR bool   // the last read ended in CR: an LF that follows belongs to it
	err     error  // what the last read returned; final
	line    []byte // a line that spans reads
	started bool   // the first line, which may start with a BOM, is behind

	// The standard's buffers, and its last event ID string.
	data   []byte
	typ    string // of the block if typed, else of an earlier one
	typed  bool
	id     string
	lastID string

	tooLong *TooLongError // why the block at hand is no event

	retry    time.Duration
	hasRetry bool
}

// NewDecoder returns a Decoder that reads from r. A nil o means the defaults.
//
// It reads ahead by up to 4 KiB, but never waits for more than the event that
// is asked for.
func NewDecoder(r io.Reader, o *DecoderOptions) *Decoder {
	var opts DecoderOptions
	if o != nil {
		opts = *o
	}
	if opts.MaxEvent <= 0 {
		opts.MaxEvent = defaultMaxEvent
	}
	if opts.MaxLine <= 0 {
		opts.MaxLine = min(opts.MaxEvent, math.MaxInt-lineRoom) + lineRoom
	}
	return &Decoder{
		r: r, maxLine: opts.MaxLine, maxEvent: opts.MaxEvent, buf: make([]byte, readSize),
		id: opts.LastEventID, lastID: opts.LastEventID,
	}
}

// Next returns the next event. Its Data is valid until the next call of Next.
//
// At the end of the stream it returns [io.EOF], and what the reader returned
// if that failed; an event whose blank line has not arrived by then is
// discarded. Both errors are final: Next returns them ever after.
//
// A [TooLongError] is not final. It stands for one event, which was skipped up
// to its blank line. LastEventID then names that event if it had an id, and
// the next call returns the one after it.
func (d *Decoder) Next() (Event, error) {
	for {
		line, whole, err := d.readLine()
		if err != nil {
			return Event{}, err
		}
		if !d.started {
			d.started = true
			line = bytes.TrimPrefix(line, []byte("\uFEFF"))
		}
		switch {
		case !whole:
			d.refuse("line", d.maxLine)
		case len(line) > 0:
			d.field(line)
		default:
			if e, ok, err := d.endBlock(); ok || err != nil {
				return e, err
			}
		}
	}
}

// LastEventID returns the newest id as of the last blank line read, with or
// without an event before it: the one to reconnect with. As in the standard
// it starts out empty with each stream, unless [DecoderOptions] says
// otherwise, and an id line without a value makes it empty again.
func (d *Decoder) LastEventID() string { return d.lastID }

// Retry returns the value of the newest valid retry line read so far, also if
// its block is not at its end, and false if there was none. A number that
// exceeds a [time.Duration] is cut to the longest one in whole milliseconds.
func (d *Decoder) Retry() (time.Duration, bool) { return d.retry, d.hasRetry }

// endBlock does what the standard calls "dispatch the event". It reports
// false if there is none in the block.
func (d *Decoder) endBlock() (e Event, ok bool, err error) {
	d.lastID = d.id
	data, typed, tooLong := d.data, d.typed, d.tooLong
	d.data, d.typed, d.tooLong = d.data[:0], false, nil

	switch {
	case tooLong != nil:
		return Event{}, false, tooLong
	case len(data) == 0:
		return Event{}, false, nil
	}
	e = Event{ID: d.lastID, Type: "message", Data: data[:len(data)-1]}
	if typed {
		e.Type = d.typ
	}
	return e, true, nil
}

// field processes a line that is not blank.
func (d *Decoder) field(line []byte) {
	name, value, _ := bytes.Cut(line, []byte{':'})
	value = bytes.TrimPrefix(value, []byte{' '})
	switch string(name) {
	case "data":
		d.addData(decodeUTF8(value))
	case "event":
		value = decodeUTF8(value)
		d.typed = len(value) > 0
		if string(value) != d.typ {
			d.typ = string(value)
		}
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			d.id = string(decodeUTF8(value))
		}
	case "retry":
		if ms, ok := parseDigits(value, maxRetry); ok {
			d.retry, d.hasRetry = time.Duration(ms)*time.Millisecond, true
		}
	}
}

func (d *Decoder) addData(line []byte) {
	// Of the line feeds, one behind each line, the last does not count.
	if len(line) > d.maxEvent-len(d.data) {
		d.refuse("event", d.maxEvent)
	}
	if d.tooLong == nil {
		d.data = append(d.data, line...)
		d.data = append(d.data, '\n')
	}
}

// refuse marks the block at hand as one to be skipped.
func (d *Decoder) refuse(part string, limit int) {
	if d.tooLong == nil {
		d.tooLong = &TooLongError{Part: part, Limit: limit}
	}
}

// readLine returns the next line without its line break, valid until the next
// call. A line that is too long is read to its end, but not kept: whole is
// then false.
func (d *Decoder) readLine() (line []byte, whole bool, err error) {
	d.line, whole = d.line[:0], true
	for {
		part, ended := d.cutLine()
		whole = whole && len(part) <= d.maxLine-len(d.line)
		if ended && whole && len(d.line) == 0 {
			return part, true, nil
		}
		if whole {
			d.line = append(d.line, part...)
		}
		if ended {
			return d.line, whole, nil
		}
		if err := d.fill(); err != nil {
			return nil, false, err
		}
	}
}

// cutLine takes from what is unread up to the end of a line, or all of it if
// there is no end.
func (d *Decoder) cutLine() (part []byte, ended bool) {
	i := lineBreak(d.unread)
	if i < 0 {
		part, d.unread = d.unread, nil
		return part, false
	}
	part, end := d.unread[:i], d.unread[i]
	d.unread = d.unread[i+1:]
	if end == '\r' {
		// Whether an LF belongs to it may show only later, and the line has
		// ended either way.
		d.afterCR = len(d.unread) == 0
		d.unread = bytes.TrimPrefix(d.unread, []byte{'\n'})
	}
	return part, true
}

// fill reads once more, when nothing is left unread.
func (d *Decoder) fill() error {
	for range maxEmptyReads {
		if d.err != nil {
			return d.err
		}
		var n int
		n, d.err = d.r.Read(d.buf)
		if n > 0 {
			d.unread = d.buf[:n]
			if d.afterCR {
				d.afterCR = false
				d.unread = bytes.TrimPrefix(d.unread, []byte{'\n'})
			}
			return nil
		}
	}
	if d.err == nil {
		d.err = io.ErrNoProgress
	}
	return d.err
}

// lineBreak returns the index of the first CR or LF in b, or -1. Where lines
// end in CR alone, it looks through all of b for each of them; b being no
// longer than a read bounds that.
func lineBreak(b []byte) int {
	lf := bytes.IndexByte(b, '\n')
	if lf < 0 {
		return bytes.IndexByte(b, '\r')
	}
	if cr := bytes.IndexByte(b[:lf], '\r'); cr >= 0 {
		return cr
	}
	return lf
}

// parseDigits returns the number that b writes in ASCII digits, or limit if
// that is less, and false if b is empty or holds anything else.
func parseDigits(b []byte, limit int64) (n int64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		// limit is so far from the largest int64 that this can't overflow.
		n = min(n*10+int64(c-'0'), limit)
	}
	return n, len(b) > 0
}
