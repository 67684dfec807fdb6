package payload

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxRow is the longest row in bytes, with the comments and blank lines before
// it. A reader takes a multiple of it in memory, since the shortest field is
// one byte.
const maxRow = 1 << 20

// csv returns the rows of a body as an array of objects or of arrays.
func (o *Options) csv(body []byte) ([]byte, error) {
	if bytes.IndexByte(body, '\n') < 0 {
		body = bytes.ReplaceAll(body, []byte{'\r'}, []byte{'\n'})
	}
	in := &rows{rest: body}
	r := csv.NewReader(in)
	r.ReuseRecord = true
	r.LazyQuotes = o.CSV.LazyQuotes
	r.Comma, _ = utf8.DecodeRuneInString(o.CSV.delimiter())
	if o.CSV.Comment != "" {
		r.Comment, _ = utf8.DecodeRuneInString(o.CSV.Comment)
	}

	var names [][]byte // each as a string of JSON and a colon
	out := []byte{'['}
	for first := true; ; first = false {
		in.refill(r.InputOffset())
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return append(out, ']'), nil
		}
		if err != nil {
			return nil, csvError(err)
		}
		if first && o.CSV.Header {
			names = memberNames(row)
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = appendRow(out, names, row)
		if int64(len(out)) > o.expanded() {
			return nil, errExpanded
		}
	}
}

// appendRow appends a row as an object, or as an array if there are no names.
func appendRow(out []byte, names [][]byte, row []string) []byte {
	if names == nil {
		out = append(out, '[')
	} else {
		out = append(out, '{')
	}
	for i, field := range row {
		if i > 0 {
			out = append(out, ',')
		}
		if names != nil {
			out = append(out, names[i]...)
		}
		out = appendString(out, field)
	}
	if names == nil {
		return append(out, ']')
	}
	return append(out, '}')
}

// memberNames makes names of a header row, each of them once.
func memberNames(header []string) [][]byte {
	names := make([][]byte, len(header))
	taken := make(map[string]bool, len(header))
	count := make(map[string]int) // of the names that are repeated
	for i, field := range header {
		field = strings.TrimSpace(field)
		if field == "" {
			field = "column_" + strconv.Itoa(i+1)
		}
		name := field
		for n := max(count[field], 1); taken[name]; {
			n++
			count[field] = n
			name = field + "_" + strconv.Itoa(n)
		}
		taken[name] = true
		names[i] = append(appendString(nil, name), ':')
	}
	return names
}

func csvError(err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return fmt.Errorf("it is not CSV: line %d: %w", parse.Line, parse.Err)
	}
	return err
}

// rows hands out a body row by row, roughly: no more than a row's bound and
// what a reader reads ahead.
type rows struct {
	rest []byte
	pos  int64
	end  int64
}

var errLongRow = fmt.Errorf("it has a row of more than %d bytes", maxRow)

// refill allows for another row, which starts at start.
func (r *rows) refill(start int64) {
	const ahead = 4 << 10 // the buffer of bufio.Reader
	r.end = start + maxRow + ahead
}

func (r *rows) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest[:min(int64(len(r.rest)), r.end-r.pos)])
	if n == 0 {
		return 0, errLongRow
	}
	r.pos += int64(n)
	r.rest = r.rest[n:]
	return n, nil
}
