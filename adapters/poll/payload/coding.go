package payload

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// maxWindow is the largest window of zstd in bytes. RFC 9659 holds content
// codings to it.
const maxWindow = 8 << 20

// A coding takes one content coding off what is below. It ends only where
// that ends too.
type coding struct {
	name  string
	below *tap
	in    *bufio.Reader // of below
	out   io.Reader
}

func (c *coding) Read(p []byte) (int, error) {
	if c.out == nil {
		if err := c.open(); err != nil {
			return 0, c.failed(err)
		}
	}
	n, err := c.out.Read(p)
	if err == nil {
		return n, nil
	}
	if !errors.Is(err, io.EOF) {
		return n, c.failed(err)
	}
	switch _, err = c.in.ReadByte(); {
	case err == nil:
		return n, fmt.Errorf("%w: it goes on after the end of its coding %s", ErrUnreadable, c.name)
	case errors.Is(err, io.EOF):
		return n, io.EOF
	default:
		return n, c.failed(err)
	}
}

func (c *coding) open() error {
	c.in = bufio.NewReader(c.below)
	start, err := c.in.Peek(2)
	if len(start) == 0 {
		return err
	}
	switch c.name {
	case "gzip":
		c.out, err = gzip.NewReader(c.in)
	case "br":
		c.out, err = brotli.NewReader(c.in), nil
	case "zstd":
		// A bound on memory that is given as such also holds for frames
		// without a window of their own. Without concurrency there is
		// nothing to close.
		c.out, err = zstd.NewReader(c.in, zstd.WithDecoderMaxMemory(maxWindow), zstd.WithDecoderConcurrency(1))
	default:
		// RFC 9110, section 8.4.1.2: some leave out the wrapper that RFC 1950
		// puts around the data. Its first two bytes tell.
		if len(start) == 2 && start[0]&0x0f == 8 && (uint(start[0])<<8|uint(start[1]))%31 == 0 {
			c.out, err = zlib.NewReader(c.in)
		} else {
			c.out, err = flate.NewReader(c.in), nil
		}
	}
	return err
}

// failed returns the error that is at the bottom of err.
func (c *coding) failed(err error) error {
	switch {
	case c.below.err != nil:
		return c.below.err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: its coding %s is cut short", ErrUnreadable, c.name)
	default:
		return fmt.Errorf("%w: its coding %s can't be undone", ErrUnreadable, c.name)
	}
}
