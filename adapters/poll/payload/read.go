package payload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"sidestream/adapters"
)

// AcceptEncoding is the value of the Accept-Encoding header for what
// [Options.Read] understands. A request that has it stops net/http from
// decoding by itself; Read can do with either.
const AcceptEncoding = "gzip, br, zstd, deflate"

// maxCodings is how many content codings may be stacked.
const maxCodings = 3

// Read returns the whole body of resp without its content codings. An error
// is [ErrTooLarge], [ErrUnreadable] (a body that is shorter than announced, a
// coding that is not known, broken, cut short or followed by something else)
// or, if the connection failed or its context is done, that very error. Read
// doesn't close the body.
func (o *Options) Read(resp *http.Response) ([]byte, error) {
	codings, err := codingsOf(resp.Header)
	if err != nil {
		return nil, err
	}
	if resp.ContentLength == 0 {
		codings = nil // nothing has been coded as nothing
	}
	limit := int64(o.MaxBody)
	coded := limit
	if len(codings) > 0 {
		// What codings may add to what can't be compressed: 5 bytes for
		// 65,535 in deflate (RFC 1951, section 3.2.4), less in others.
		coded += limit/64 + 64<<10
	}
	if resp.ContentLength > coded {
		return nil, ErrTooLarge
	}
	in := &tap{r: &wire{body: resp.Body, announced: resp.ContentLength}, left: coded}
	for i, name := range slices.Backward(codings) {
		left := coded
		if i == 0 {
			left = limit
		}
		in = &tap{r: &coding{name: name, below: in}, left: left}
	}
	body, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	return body, nil
}

// codingsOf returns the content codings in the order in which they were
// applied (RFC 9110, section 8.4).
func codingsOf(header http.Header) ([]string, error) {
	var list []string
	for name := range strings.SplitSeq(strings.Join(header.Values("Content-Encoding"), ","), ",") {
		switch name = strings.ToLower(strings.TrimSpace(name)); name {
		case "", "identity":
			continue
		case "x-gzip": // RFC 9110, section 8.4.1.3
			name = "gzip"
		case "gzip", "br", "zstd", "deflate":
		default:
			return nil, fmt.Errorf("%w: it has a content coding that was not asked for", ErrUnreadable)
		}
		if list = append(list, name); len(list) > maxCodings {
			return nil, fmt.Errorf("%w: it has more than %d content codings", ErrUnreadable, maxCodings)
		}
	}
	return list, nil
}

// A wire reads a body as it is transferred, and says what is wrong with that.
type wire struct {
	body      io.Reader
	announced int64 // its length, or -1
	read      int64
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.body.Read(p)
	w.read += int64(n)
	var network net.Error
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF) && w.read < w.announced:
		return n, fmt.Errorf("%w: it is cut short", ErrUnreadable)
	case errors.Is(err, io.EOF):
		return n, io.EOF
	case errors.As(err, &network), errors.Is(err, context.Canceled):
		return n, err // not the body's fault
	default:
		return n, fmt.Errorf("%w: %w", ErrUnreadable, adapters.Quoteless(err))
	}
}

// A tap hands on up to left bytes of r. It stays with the error that it ended
// with, and keeps it for those whose decoder returns another in its place.
type tap struct {
	r    io.Reader
	left int64
	err  error
}

func (t *tap) Read(p []byte) (int, error) {
	if t.err != nil {
		return 0, t.err
	}
	n, err := t.r.Read(p)
	if t.left -= int64(n); t.left < 0 {
		err = ErrTooLarge
	}
	if err != nil && !errors.Is(err, io.EOF) {
		t.err = err
	}
	return n, err
}
