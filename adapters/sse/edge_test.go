package sse

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"sidestream/adapters"
	"sidestream/proxy/eventstream"
)

// edges are streams at the edges of what the standard says of parsing (WHATWG
// HTML, section 9.2.6).
var edges = map[string]string{
	"stocks":                     "data: YHOO\ndata: +2\ndata: 10\n\n",
	"test stream":                ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
	"data without a colon":       "data\n\ndata\ndata\n\ndata:",
	"one space is optional":      "data:test\n\ndata: test\n\n",
	"types":                      "event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n",
	"CR":                         "data: a\rdata: b\r\rdata: c\r\r",
	"CRLF":                       "data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n",
	"mixed line ends":            "data: a\n\rdata: b\r\n\ndata: c\r\r\n",
	"LF CR is two":               "data: a\n\rdata: b\n\r",
	"comments":                   ":\n:x\ndata: a\n: data: b\n:data\n\n",
	"type of its own block":      "event: a\ndata: 1\n\ndata: 2\n\nevent: a\ndata: 3\n\n",
	"type without data":          "event: a\n\ndata: 1\n\n",
	"empty type":                 "event: a\nevent:\ndata: 1\n\n",
	"type message":               "event: message\ndata: 1\n\n",
	"no data":                    "event: x\n\nid: 7\n\n\n\n",
	"empty data":                 "data:\n\ndata: \n\n",
	"any order":                  "data: a\nid: 1\ndata: b\nevent: e\n\n",
	"unknown fields":             "Data: a\n data: b\ndata : c\ndatax: d\nfoo\nfoo: bar\ndata: e\n\n",
	"spaces":                     "data:  a \ndata:\tb\nevent:  e\n\n",
	"colons in values":           "data: a: b\ndata::c\n\n",
	"incomplete block":           "data: a\n\nid: 2\ndata: b\n",
	"incomplete line":            "data: a\n\ndata: b\n\nretry: 5",
	"id stays":                   "id: 1\ndata: a\n\ndata: b\n\nid: 2\n\ndata: c\n\n",
	"id is taken back":           "id: 1\ndata: a\n\nid\ndata: b\n\ndata: c\n\n",
	"id of an incomplete block":  "id: 1\n\nid: 2\n",
	"id with NUL":                "id: 1\nid: 2\x003\ndata: a\n\n",
	"id with spaces":             "id:  1 2 \ndata: a\n\n",
	"id with a control":          "id: 1\x012\ndata: a\n\ndata: b\n\n",
	"id that isn't ASCII":        "id: été\ndata: a\n\n",
	"ids that are reserved":      "id: 5~1\ndata: a\n\nid: =\ndata: b\n\nid: =MQ\ndata: c\n\nid: -1\ndata: d\n\nid: =.1\ndata: e\n\n",
	"id as long as can be":       "id: " + strings.Repeat("x", adapters.MaxPosition) + "\ndata: a\n\n",
	"id longer than can be":      "id: " + strings.Repeat("x", adapters.MaxPosition+1) + "\ndata: a\n\n",
	"coded id longer than fits":  "id: " + strings.Repeat("~", adapters.MaxPosition*3/4) + "\ndata: a\n\n",
	"NUL elsewhere":              "event: \x00\ndata: a\x00b\n\n",
	"not UTF-8":                  "id: \xFF\nevent: \xC3\ndata: \xE2\x82\xF0\x9F\x98\xED\xA0\x80\xC0\xAF\n\n",
	"cut within a character":     "data: a\xF0\x9F\x98\ndata: \xE2\x82\ndata: \xC3\n\n",
	"not UTF-8 in a name":        "data\xFF: a\ndata: b\n\n",
	"BOM":                        "\uFEFFdata: a\n\n",
	"BOM before a comment":       "\uFEFF:x\n\uFEFFdata: a\n\ndata: b\n\n",
	"two BOMs":                   "\uFEFF\uFEFFdata: a\n\ndata: b\n\n",
	"half a BOM":                 "\xEF\xBBdata: a\n\ndata: b\n\n",
	"BOM in data":                "data: \uFEFFa\n\n",
	"retry of digits only":       "retry: 7\nretry: 1.5\nretry: -1\nretry: ١\nretry: 1s\n\ndata: a\n\n",
	"retry absurdly long":        "retry: " + strings.Repeat("9", 5000) + "\ndata: a\n\n",
	"opening retry, heartbeats":  "retry: 3000\n:\nid: 1\ndata: a\n\n:\n:\n",
	"line longer than a read":    "data: " + strings.Repeat("x", 5000) + "\r\ndata: y\r\n\r\n",
	"nothing":                    "",
	"a line feed":                "\n",
	"data that looks like a fie": "data: data: x\ndata: \ndata: id: 3\n\n",
}

// A heard event is what a client sees.
type heard struct{ id, typ, data string }

// decode returns what a client sees of a stream.
func decode(t *testing.T, stream io.Reader) (list []heard) {
	t.Helper()
	d := eventstream.NewDecoder(stream, nil)
	for {
		e, err := d.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, heard{e.ID, e.Type, string(e.Data)})
	}
}

// restream returns what a client sees of a stream behind a source. Where the
// server's ids are passed on, they are as they come back to the server: "" if
// they don't.
func restream(t *testing.T, stream io.Reader, edit func(*Options)) []heard {
	t.Helper()
	asked := 0
	s := openScript(adapters.Env{}, func(*http.Request) (*http.Response, error) {
		if asked++; asked > 1 {
			return reply(http.StatusNoContent, http.NoBody), nil
		}
		return reply(http.StatusOK, stream), nil
	}, edit)
	events, err := all(t, s, "")
	if err != nil && adapters.Reason(err) != errEmpty.Error() {
		t.Fatalf("Run: got error %v, want none", err)
	}
	var text []byte
	for _, e := range events {
		if e.Live || e.Gap != nil {
			continue
		}
		text, err = eventstream.AppendEvent(text, &eventstream.Event{ID: string(e.Position), Type: e.Type, Data: e.Data})
		if err != nil {
			t.Fatalf("got %v, which can't be written: %v", words([]adapters.Event{e}), err)
		}
	}
	list := decode(t, strings.NewReader(string(text)))
	for i := range list {
		list[i].id, _ = s.decodeID(adapters.Position(list[i].id))
	}
	return list
}

// TestEdges: what a client sees of a stream is what it would see without a
// source in between, however the bytes come.
func TestEdges(t *testing.T) {
	for name, stream := range edges {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				want := decode(t, strings.NewReader(stream))
				check := func(how string, r io.Reader) {
					t.Helper()
					passed := restream(t, r, func(o *Options) { o.IDs = idsPass })
					if !slices.Equal(passed, resumable(want)) {
						t.Fatalf("%s: got %.500q, want %.500q", how, passed, want)
					}
				}
				check("at once", strings.NewReader(stream))
				check("byte by byte", iotest.OneByteReader(strings.NewReader(stream)))
				check("with its end", iotest.DataErrReader(strings.NewReader(stream)))
				for i := range min(len(stream), 200) {
					check(fmt.Sprintf("cut at %d", i), io.MultiReader(strings.NewReader(stream[:i]), strings.NewReader(stream[i:])))
				}
				numbered := restream(t, strings.NewReader(stream), nil)
				for i := range want {
					want[i].id = ""
				}
				if !slices.Equal(numbered, want) {
					t.Errorf("numbered: got %.500q, want %.500q", numbered, want)
				}
			})
		})
	}
}

// resumable returns the events without the ids that no header, or none that is
// short enough, can carry back.
func resumable(list []heard) []heard {
	list = slices.Clone(list)
	for i, e := range list {
		switch {
		case strings.ContainsAny(e.id, "\x01"), strings.TrimSpace(e.id) != e.id, len(e.id) > adapters.MaxPosition,
			strings.Contains(e.id, "~") && len(e.id)*4/3 > adapters.MaxPosition-1:
			list[i].id = ""
		}
	}
	return list
}

// TestCutAndResumed: a connection that breaks at any byte costs nothing, and
// repeats nothing, if the server resumes.
func TestCutAndResumed(t *testing.T) {
	const stream = "retry: 20\nid: 1\ndata: a\n\n:\nid: 2\r\ndata: b\r\n\r\nid: 3~é\rdata: c\rdata: d\r\revent: x\nid: 4\ndata: e\n\n"
	after := map[string]string{"": stream}
	for id, rest := range map[string]string{"1": ":\nid: 2", "2": "id: 3~é", "3~é": "event: x", "4": "\n\n\n"} {
		_, behind, _ := strings.Cut(stream+"\n\n\n", rest)
		after[id] = rest + behind
	}
	want := []string{"1||a", "2||b", "=M37DqQ||c\nd", "4|x|e"}
	for _, clean := range []bool{true, false} {
		for i := range len(stream) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				s := openScript(adapters.Env{}, func(r *http.Request) (*http.Response, error) {
					rest := after[r.Header.Get("Last-Event-ID")]
					switch asked++; {
					case asked > 1:
						return held(r, rest), nil
					case clean:
						return answer(rest[:i]), nil
					default:
						return reply(http.StatusOK, io.MultiReader(strings.NewReader(rest[:i]), iotest.ErrReader(io.ErrUnexpectedEOF))), nil
					}
				}, func(o *Options) { o.IDs = idsPass })
				var (
					reached adapters.Position
					got     []adapters.Event
					err     error
				)
				for range 3 { // as the supervisor does
					err = s.Run(t.Context(), reached, func(e adapters.Event) error {
						if e.Position != "" {
							reached = e.Position
						}
						if !e.Live && e.Gap == nil {
							got = append(got, e)
						}
						if e.Live && asked > 1 {
							return errEnoughOf
						}
						return nil
					})
				}
				if !errors.Is(err, errEnoughOf) || !slices.Equal(words(got), want) {
					t.Errorf("cut at %d, clean %v: got %v, %q, want %q", i, clean, err, words(got), want)
				}
			})
		}
	}
}

// FuzzRun: whatever bytes a server sends, and however they are cut, a Run ends
// as it should, and what it emits can be written and was in the stream.
func FuzzRun(f *testing.F) {
	for _, stream := range edges {
		f.Add([]byte(stream), uint16(3), false)
	}
	for _, stream := range controls {
		f.Add([]byte(stream), uint16(9), true)
	}
	f.Fuzz(func(t *testing.T, stream []byte, cut uint16, pass bool) {
		synctest.Test(t, func(t *testing.T) {
			i := int(cut) % (len(stream) + 1)
			asked := 0
			s := openScript(adapters.Env{}, func(*http.Request) (*http.Response, error) {
				if asked++; asked > 1 {
					return reply(http.StatusNoContent, http.NoBody), nil
				}
				return reply(http.StatusOK, io.MultiReader(strings.NewReader(string(stream[:i])), iotest.OneByteReader(strings.NewReader(string(stream[i:]))))), nil
			}, func(o *Options) {
				if o.MaxEvent = 1 << 10; pass {
					o.IDs = idsReplay
				}
			})
			got, err := all(t, s, "")
			if err != nil && adapters.IsPermanent(err) {
				t.Errorf("got the permanent error %v", err)
			}
			plain, gaps := 0, 0
			for _, e := range got {
				switch {
				case e.Gap != nil:
					gaps++
				case e.Live, e.Stale != "":
				default:
					plain++
					if pass && e.Position == "" || !pass && e.Position != "" {
						t.Errorf("got position %q with ids passed on: %v", e.Position, pass)
					}
					if _, err := eventstream.AppendEvent(nil, &eventstream.Event{ID: string(e.Position), Type: e.Type, Data: e.Data}); err != nil && !errors.Is(err, eventstream.ErrType) {
						t.Errorf("got an event that can't be written: %v", err)
					}
				}
				if !e.Position.Valid() {
					t.Errorf("got position %q, want a valid one", e.Position)
				}
			}
			d := eventstream.NewDecoder(strings.NewReader(string(stream)), &eventstream.DecoderOptions{MaxEvent: 1 << 10})
			want, special := 0, 0
			for {
				e, err := d.Next()
				if isTooLong(err) {
					special++
					continue
				}
				if err != nil {
					break
				}
				if strings.HasPrefix(e.Type, adapters.ReservedPrefix) {
					special++
				} else {
					want++
				}
			}
			if err == nil && plain != want || plain > want || special == 0 && gaps > 0 {
				t.Errorf("got %d events and %d gaps (%v), want %d events, besides %d special ones", plain, gaps, err, want, special)
			}
		})
	})
}
