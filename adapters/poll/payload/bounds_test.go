package payload

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
)

// TestReadBombs: a bomb takes no more memory than the largest body does.
func TestReadBombs(t *testing.T) {
	const limit, budget = 256 << 10, 14 << 20
	zeros := make([]byte, 16<<20)
	bombs := map[string]struct {
		body    []byte
		codings string
	}{
		"empty gzip members": {bytes.Repeat(encode(t, "gzip", nil), 50_000), "gzip"},
		"stacked":            {encode(t, "br", encode(t, "zstd", encode(t, "gzip", zeros))), "gzip, zstd, br"},
	}
	for _, coding := range allCodings {
		bombs[coding] = struct {
			body    []byte
			codings string
		}{encode(t, coding, zeros), nameOf(coding)}
	}
	for name, bomb := range bombs {
		t.Run(name, func(t *testing.T) {
			var err error
			used := allocatedBy(func() { _, err = read(limit, bomb.body, bomb.codings) })
			t.Logf("%d KiB allocated for %d KiB", used>>10, len(bomb.body)>>10)
			if !errors.Is(err, ErrTooLarge) {
				t.Errorf("got %v, want ErrTooLarge", err)
			}
			if used > budget {
				t.Errorf("got %d bytes allocated, want at most %d", used, budget)
			}
		})
	}
}

// TestReadZstdWindow has frames (RFC 8878, section 3.1.1) of one block, one
// byte repeated 65,536 times.
func TestReadZstdWindow(t *testing.T) {
	const start, block = "\x28\xb5\x2f\xfd", "\x03\x00\x08a"
	for _, tt := range []struct {
		name, header string
		ok           bool
	}{
		{"8 MiB", "\x00\x68", true},
		{"9 MiB", "\x00\x69", false},
		{"512 MiB", "\x00\x98", false},
		{"64 KiB in one segment", "\xa0\x00\x00\x01\x00", true},
		{"1 GiB in one segment", "\xa0\x00\x00\x00\x40", false},
	} {
		var (
			got []byte
			err error
		)
		used := allocatedBy(func() { got, err = read(1<<20, []byte(start+tt.header+block), "zstd") })
		if tt.ok && (err != nil || len(got) != 1<<16) || !tt.ok && !errors.Is(err, ErrUnreadable) {
			t.Errorf("%s: got %d bytes, %v, want it read: %v", tt.name, len(got), err, tt.ok)
		}
		if !tt.ok && used > 1<<20 {
			t.Errorf("%s: got %d bytes allocated, want few", tt.name, used)
		}
	}
}

// allocatedBy returns how much memory f allocates in all.
func allocatedBy(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// endless is a body without end that counts what is read of it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	clear(p)
	e.read += len(p)
	return len(p), nil
}

func TestReadStopsAtTheBound(t *testing.T) {
	o := options(Auto, func(o *Options) { o.MaxBody = 1000 })
	for _, codings := range [][]string{nil, {"deflate"}} {
		body := new(endless) // to deflate, empty blocks
		got, err := o.Read(response(body, codings...))
		if codings == nil && !errors.Is(err, ErrTooLarge) || err == nil || body.read > 1<<20 {
			t.Errorf("%v: got %d bytes, %v after %d, want an error soon", codings, len(got), err, body.read)
		}
	}
	// Blocks of deflate that hold nothing, without end.
	body := io.MultiReader(strings.NewReader(strings.Repeat("\x00\x00\x00\xff\xff", 1<<20)), new(endless))
	if got, err := o.Read(response(body, "deflate")); !errors.Is(err, ErrTooLarge) {
		t.Errorf("empty blocks: got %d bytes, %v, want ErrTooLarge", len(got), err)
	}
	announced := response(errReader{errors.New("it was read")})
	announced.ContentLength = 1001
	if _, err := o.Read(announced); !errors.Is(err, ErrTooLarge) {
		t.Errorf("announced: got %v, want ErrTooLarge", err)
	}
}
