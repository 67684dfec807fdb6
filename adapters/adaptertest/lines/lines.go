// Package lines delivers the lines that are appended to a file. It is the
// example in CONTRIBUTING.md, and no adapter of the program.
package lines

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"sidestream/adapters"
)

// Options are the options of a route, below its key "lines".
type Options struct {
	// Path is that of the file.
	Path string `yaml:"path"`

	// Every is how often it is looked at, from 1ms to 1h. The default is 250ms.
	Every adapters.Duration `yaml:"every"`
}

// maxLine is the longest line, in bytes. A longer one is a failure.
const maxLine = 1 << 20

// Adapter returns the adapter called "lines".
func Adapter() adapters.Adapter {
	defaults := func() Options { return Options{Every: adapters.Duration(250 * time.Millisecond)} }
	return adapters.New("lines", defaults, func(o Options, route adapters.Route) (adapters.Factory, error) {
		var c adapters.OptionErrors
		c.Refuse(o.Path == "", "path", "is missing; name the file to read")
		c.Refuse(len(route.Vars) > 0, "path", "one file serves all clients, so that the route can't have variables")
		adapters.Within(&c, "every", time.Duration(o.Every), time.Millisecond, time.Hour)
		return &source{o.Path, time.Duration(o.Every)}, c.Err()
	})
}

// A source is the factory as well, since there are no variables.
type source struct {
	path  string
	every time.Duration
}

// Capabilities implements [adapters.Factory].
func (s *source) Capabilities() adapters.Capabilities {
	return adapters.Capabilities{Positions: true, Replayable: true}
}

// Open implements [adapters.Factory].
func (s *source) Open(adapters.Vars, adapters.Env) (adapters.Source, error) { return s, nil }

// Run implements [adapters.Source]. Without a position it begins with the
// first line.
func (s *source) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	file, err := os.Open(s.path)
	if err != nil {
		return adapters.Transient("the file can't be opened", err)
	}
	defer file.Close()
	offset, err := locate(file, after)
	if err != nil {
		return err
	}
	id := identity(file)
	for in := bufio.NewReaderSize(nil, maxLine); ; {
		in.Reset(io.NewSectionReader(file, offset, 1<<62-offset))
		for {
			line, err := in.ReadSlice('\n')
			if errors.Is(err, io.EOF) { // what is left is nothing, or the start of a line
				break
			} else if err != nil {
				return adapters.Transient("the file can't be read", err)
			}
			if offset == 0 {
				id = identity(file)
			}
			offset += int64(len(line))
			if err := emit(adapters.Event{Position: position(offset, id), Data: bytes.Clone(line[:len(line)-1])}); err != nil {
				return err
			}
		}
		if err := emit(adapters.Event{Position: position(offset, id), Live: true}); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(s.every):
		}
		if err := same(file, s.path, offset); err != nil {
			return adapters.Transient("the file was replaced", err) // the next Run finds out what that means
		}
	}
}

// identity stands for a file among those of its name, by its first line.
func identity(file *os.File) string {
	first, _ := bufio.NewReader(io.NewSectionReader(file, 0, maxLine)).ReadSlice('\n')
	return fmt.Sprintf("%.8x", sha256.Sum256(first))
}

// position names the place at offset. That before the first line is the same in
// all files.
func position(offset int64, id string) adapters.Position {
	if offset == 0 {
		return "0"
	}
	return adapters.Position(fmt.Sprintf("%d-%s", offset, id))
}

// locate returns the offset that after stands for.
func locate(file *os.File, after adapters.Position) (offset int64, err error) {
	if after == "" || after == "0" {
		return 0, nil
	}
	var id string
	if _, err := fmt.Sscanf(string(after), "%d-%s", &offset, &id); err != nil || offset < 1 || position(offset, id) != after {
		return 0, &adapters.PositionLostError{Reason: adapters.LostUnknown, Resume: "0", Lost: -1}
	}
	before := make([]byte, 1) // the end of a line
	if _, err := file.ReadAt(before, offset-1); err != nil || before[0] != '\n' || identity(file) != id {
		return 0, &adapters.PositionLostError{Reason: adapters.LostRecreated, Resume: "0", Lost: -1}
	}
	return offset, nil
}

// same returns an error unless path still is the file, and has what was read.
func same(file *os.File, path string, offset int64) error {
	opened, err1 := file.Stat()
	named, err2 := os.Stat(path)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if !os.SameFile(opened, named) || named.Size() < offset {
		return errors.New("another file, or less of it")
	}
	return nil
}
