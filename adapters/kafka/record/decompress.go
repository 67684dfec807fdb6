package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go/compress"
)

// A codec is how a batch is compressed, as its attributes say.
type codec int8

const (
	uncompressed codec = iota
	gzipCodec
	snappyCodec
	lz4Codec
	zstdCodec

	// lz4CodecFormat0 is what lz4Codec means in messages of format 0.
	lz4CodecFormat0 codec = -1
)

// decompress returns what src holds, at most bound bytes of it: otherwise
// errTooLarge. If it isn't src itself, it is a buffer of its own and of its
// size.
//
// A length that src claims is never believed. Of the codecs of kafka-go, those
// of gzip and lz4 read in a stream and are pooled, but the one of snappy makes
// room for any length that a block claims, and the one of zstd for any window
// up to 512 MiB, and both keep it in a pool. Hence these two are used from the
// library below.
func decompress(c codec, src []byte, bound int) ([]byte, error) {
	switch c {
	case uncompressed:
		if len(src) > bound {
			return nil, errTooLarge
		}
		return src, nil
	case gzipCodec:
		data, err := readAll(&compress.GzipCodec, bytes.NewReader(src), bound)
		return data, explain("gzip", err)
	case snappyCodec:
		data, err := unsnappy(src, bound)
		return data, explain("snappy", err)
	case lz4Codec:
		data, err := readAll(&compress.Lz4Codec, bytes.NewReader(src), bound)
		return data, explain("lz4", err)
	case lz4CodecFormat0:
		data, err := readAll(&compress.Lz4Codec, mendLZ4(src), bound)
		return data, explain("lz4", err)
	case zstdCodec:
		data, err := unzstd(src, bound)
		return data, explain("zstd", err)
	}
	return nil, fmt.Errorf("unknown compression %d", c)
}

// readAll returns what r holds, decompressed.
func readAll(c compress.Codec, r io.Reader, bound int) ([]byte, error) {
	z := c.NewReader(r)
	defer z.Close()
	buf := newScratch(bound)
	for {
		n, err := z.Read(buf.free())
		buf.data = buf.data[:len(buf.data)+n]
		switch {
		case err == io.EOF:
			return buf.take(), nil
		case err != nil:
			buf.drop()
			return nil, err
		case len(buf.data) < cap(buf.data):
		case !buf.grow():
			if err := expectEnd(z); err != nil {
				buf.drop()
				return nil, err
			}
			return buf.take(), nil
		}
	}
}

// expectEnd returns errTooLarge if there is something left to read.
func expectEnd(r io.Reader) error {
	switch _, err := io.ReadFull(r, make([]byte, 1)); err {
	case io.EOF:
		return nil
	case nil:
		return errTooLarge
	default:
		return err
	}
}

// explain says what couldn't be decompressed. Its result is never io.EOF, which
// means an end without fault here.
func explain(name string, err error) error {
	if err == nil || errors.Is(err, errTooLarge) {
		return err
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("decompress %s: %w", name, err)
}
