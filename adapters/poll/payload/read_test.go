package payload

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"sidestream/adapters"
)

// encode applies a content coding; "raw" is deflate without its wrapper.
func encode(tb testing.TB, coding string, data []byte) []byte {
	tb.Helper()
	var (
		out bytes.Buffer
		w   io.WriteCloser
		err error
	)
	switch coding {
	case "gzip", "x-gzip":
		w = gzip.NewWriter(&out)
	case "br":
		w = brotli.NewWriterLevel(&out, 1)
	case "zstd":
		w, err = zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
	case "deflate":
		w = zlib.NewWriter(&out)
	case "raw":
		w, err = flate.NewWriter(&out, flate.BestSpeed)
	default:
		tb.Fatalf("no such coding: %s", coding)
	}
	if err == nil {
		_, err = w.Write(data)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// response returns an answer whose body is of unannounced length.
func response(body io.Reader, codings ...string) *http.Response {
	return &http.Response{
		StatusCode:    http.StatusOK,
		Header:        http.Header{"Content-Encoding": codings},
		Body:          io.NopCloser(body),
		ContentLength: -1,
	}
}

func read(maxBody adapters.Size, body []byte, codings ...string) ([]byte, error) {
	o := options(Auto, func(o *Options) { o.MaxBody = maxBody })
	return o.Read(response(bytes.NewReader(body), codings...))
}

var allCodings = []string{"gzip", "br", "zstd", "deflate", "raw"}

// nameOf returns what a coding is called in Content-Encoding.
func nameOf(coding string) string {
	if coding == "raw" {
		return "deflate"
	}
	return coding
}

func TestReadCodings(t *testing.T) {
	plain := []byte(strings.Repeat("a body of some length; ", 1000))
	limit := adapters.Size(len(plain))
	for _, coding := range allCodings {
		t.Run(coding, func(t *testing.T) {
			coded, name := encode(t, coding, plain), nameOf(coding)
			if got, err := read(limit, coded, name); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("got %d bytes, %v, want %d", len(got), err, len(plain))
			}
			if got, err := read(limit-1, coded, name); !errors.Is(err, ErrTooLarge) {
				t.Errorf("beyond max_body: got %d bytes, %v, want ErrTooLarge", len(got), err)
			}
			wantUnreadable(t, "trailing garbage", append(bytes.Clone(coded), "hunter2"...), "", name)
			wantUnreadable(t, "trailing NUL", append(bytes.Clone(coded), 0), "", name)
			wantUnreadable(t, "nothing", nil, "its coding "+name+" is cut short", name)
			wantUnreadable(t, "garbage", []byte("\xffhunter2 is not a coding\xff"), "its coding "+name+" can't be undone", name)
			for n := range coded {
				wantUnreadable(t, fmt.Sprintf("%d of %d bytes", n, len(coded)), coded[:n], "", name)
			}
			if coding != "br" && coding != "raw" { // these have no checksum
				broken := bytes.Clone(coded)
				broken[len(broken)-1] ^= 1
				wantUnreadable(t, "checksum", broken, "", name)
			}
		})
	}
}

func wantUnreadable(t *testing.T, what string, body []byte, want string, codings ...string) {
	t.Helper()
	got, err := read(1<<20, body, codings...)
	if !errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%s: got %d bytes, %v, want an unreadable body: %s", what, len(got), err, want)
	}
}

func TestReadStackedCodings(t *testing.T) {
	const plain = "plain"
	tests := []struct {
		header []string
		coded  []string // in the order of their application
		want   string
	}{
		{nil, nil, plain},
		{[]string{""}, nil, plain},
		{[]string{"identity"}, nil, plain},
		{[]string{"GZip"}, []string{"gzip"}, plain},
		{[]string{"x-gzip"}, []string{"gzip"}, plain},
		{[]string{"gzip, identity ,, br"}, []string{"gzip", "br"}, plain},
		{[]string{"deflate", "zstd"}, []string{"deflate", "zstd"}, plain},
		{[]string{"deflate,deflate", "gzip"}, []string{"raw", "deflate", "gzip"}, plain},
		{[]string{"gzip, gzip, gzip, gzip"}, []string{"gzip", "gzip", "gzip", "gzip"}, unreadable + "it has more than 3 content codings"},
		{[]string{"br, gzip"}, []string{"gzip", "br"}, unreadable + "its coding gzip can't be undone"},
		{[]string{"gzip"}, nil, unreadable + "its coding gzip is cut short"},
		{[]string{"hunter2"}, nil, unreadable + "it has a content coding that was not asked for"},
		{[]string{"compress"}, nil, unreadable + "it has a content coding that was not asked for"},
		{[]string{"gzip;q=1"}, []string{"gzip"}, unreadable + "it has a content coding that was not asked for"},
		{[]string{"gzip, gzip"}, []string{"gzip", "br"}, unreadable + "its coding gzip can't be undone"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.header, "+"), func(t *testing.T) {
			body := []byte(plain)
			for _, coding := range tt.coded {
				body = encode(t, coding, body)
			}
			got, err := read(100, body, tt.header...)
			wantDocument(t, Document{Data: got}, err, tt.want, false)
		})
	}
	body := encode(t, "br", append(encode(t, "gzip", []byte(plain)), 0))
	wantUnreadable(t, "garbage within the outer coding", body, "coding gzip", "gzip, br")
	body = encode(t, "gzip", encode(t, "deflate", []byte(plain)))
	body[len(body)-1] ^= 1
	wantUnreadable(t, "checksum of the outer coding", body, "its coding gzip", "deflate, gzip")
}

// TestReadIncompressible: codings make random data longer than max_body.
func TestReadIncompressible(t *testing.T) {
	plain := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{}).Read(plain)
	for _, coding := range allCodings {
		coded := encode(t, coding, plain)
		got, err := read(adapters.Size(len(plain)), coded, nameOf(coding))
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: got %d bytes, %v, want %d", coding, len(got), err, len(plain))
		}
	}
}

func TestReadGzipMembers(t *testing.T) {
	got, err := read(100, append(encode(t, "gzip", []byte("one ")), encode(t, "gzip", []byte("two"))...), "gzip")
	if err != nil || string(got) != "one two" {
		t.Errorf("got %q, %v, want one two", got, err)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// TestReadFailures: what breaks below all codings comes through them.
func TestReadFailures(t *testing.T) {
	reset := &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}
	tests := []struct {
		name       string
		err        error
		is         error
		network    bool
		unreadable bool
	}{
		{"reset", reset, reset, true, false},
		{"timeout", context.DeadlineExceeded, context.DeadlineExceeded, true, false},
		{"cancelled", context.Canceled, context.Canceled, false, false},
		{"cut short", io.ErrUnexpectedEOF, ErrUnreadable, false, true},
		{"broken chunks", errors.New("malformed chunked encoding hunter2"), ErrUnreadable, false, true},
	}
	o := options(Auto, nil)
	for _, tt := range tests {
		for _, stack := range [][]string{nil, {"gzip"}, {"br"}, {"zstd"}, {"deflate"}, {"gzip", "br", "zstd"}} {
			t.Run(tt.name+" under "+strings.Join(stack, "+"), func(t *testing.T) {
				coded := []byte(strings.Repeat("text ", 100))
				for _, coding := range stack {
					coded = encode(t, coding, coded)
				}
				for _, n := range []int{0, 1, len(coded) / 2, len(coded)} {
					_, err := o.Read(response(io.MultiReader(bytes.NewReader(coded[:n]), errReader{tt.err}), stack...))
					var network net.Error
					if !errors.Is(err, tt.is) || errors.As(err, &network) != tt.network ||
						errors.Is(err, ErrUnreadable) != tt.unreadable || strings.Contains(err.Error(), "hunter2") {
						t.Errorf("after %d of %d bytes: got %v, want %v", n, len(coded), err, tt.is)
					}
				}
			})
		}
	}
}

func TestReadLengths(t *testing.T) {
	o := options(Auto, nil)
	short := response(strings.NewReader("1234"))
	short.ContentLength = 5
	if got, err := o.Read(short); !errors.Is(err, ErrUnreadable) || !strings.HasSuffix(err.Error(), "it is cut short") {
		t.Errorf("short: got %q, %v, want that it is cut short", got, err)
	}
	none := response(http.NoBody, "gzip")
	none.ContentLength = 0
	if got, err := o.Read(none); err != nil || len(got) > 0 {
		t.Errorf("no content: got %q, %v, want nothing", got, err)
	}
}

// TestReadOverHTTP: net/http doesn't decode what is asked for by name, and
// Read bears with what it decodes by itself.
func TestReadOverHTTP(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		coding, _, _ := strings.Cut(r.Header.Get("Accept-Encoding"), ",")
		w.Header().Set("Content-Encoding", coding)
		w.Write(encode(t, coding, []byte("plain")))
	}))
	defer server.Close()
	defer server.Client().CloseIdleConnections()
	for _, accept := range append(strings.Split(AcceptEncoding, ", "), AcceptEncoding, "") {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if accept != "" {
			req.Header.Set("Accept-Encoding", accept)
		}
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := options(Auto, nil).Read(resp)
		resp.Body.Close()
		if err != nil || string(got) != "plain" {
			t.Errorf("accepting %q: got %q, %v, want plain", accept, got, err)
		}
	}
	if !slices.Equal(strings.Split(AcceptEncoding, ", "), []string{"gzip", "br", "zstd", "deflate"}) {
		t.Errorf("got %q, want every coding there is", AcceptEncoding)
	}
}
