package sse

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"sidestream/adapters"
)

// controls are streams with events of reserved types.
var controls = map[string]string{
	"a gap":            "id: 3\nevent: stream.gap\ndata: {\"reason\":\"overflow\",\"requested\":\"3\",\"resumed\":\"9\",\"lost\":6}\n\nid: 10\ndata: x\n\n",
	"a gap to nowhere": "id: 3\nevent: stream.gap\ndata: {\"reason\":\"unknown\",\"requested\":\"\",\"resumed\":\"\",\"lost\":null}\n\nid: 10\ndata: x\n\n",
	"stale and fresh":  "id: 3\nevent: stream.stale\ndata: {\"since\":\"2026-01-02T15:04:05Z\",\"reason\":\"connection\\nrefused\"}\n\nid: 3\nevent: stream.fresh\ndata: {\"since\":\"2026-01-02T15:04:05Z\",\"reason\":\"connection refused\"}\n\n",
	"stale and live":   "id: 3\nevent: stream.stale\ndata: {\"since\":\"\",\"reason\":\"\"}\n\nid: 4\nevent: stream.live\ndata: {\"age\":1.5}\n\n",
	"live":             "id: 4\nevent: stream.live\ndata: {}\n\n",
	"not an end":       "id: 1\nevent: stream.end\ndata: {}\n\nid: 2\ndata: x\n\n",
	"not a gap":        "id: 1\nevent: stream.gap\ndata: mind it\n\n",
	"another gap":      "id: 1\nevent: stream.gap\ndata: {\"reason\":\"because\",\"requested\":\"\",\"resumed\":\"\"}\n\n",
	"not stale":        "id: 1\nevent: stream.stale\ndata: {}\n\n",
	"not fresh":        "id: 1\nevent: stream.fresh\ndata: bread\n\n",
	"not live":         "id: 1\nevent: stream.live\ndata: null\n\n",
	"not known":        "id: 1\nevent: stream.sports\ndata: 2:1\n\ndata: x\n\n",
}

// TestControl: events by which another Sidestream speaks of its stream become
// what they say, and others of those types are announced as missing.
func TestControl(t *testing.T) {
	for name, want := range map[string][]string{
		"a gap":            {"gap overflow at 9", "10||x", "live at 10"},
		"a gap to nowhere": {"gap unknown at 3", "10||x", "live at 10"},
		"stale and fresh":  {"stale: connection refused at 3", "live at 3", "live at 3"},
		"stale and live":   {"stale: upstream is stale at 3", "stale and live: upstream is stale at 4", "stale and live: upstream is stale at 4"},
		"live":             {"live at 4", "live at 4"},
		"not an end":       {"gap invalid at 1", "2||x", "live at 2"},
		"not a gap":        {"gap invalid at 1", "live at 1"},
		"another gap":      {"gap invalid at 1", "live at 1"},
		"not stale":        {"gap invalid at 1", "live at 1"},
		"not fresh":        {"gap invalid at 1", "live at 1"},
		"not live":         {"gap invalid at 1", "live at 1"},
		"not known":        {"gap invalid at 1", "1||x", "live at 1"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := openScript(adapters.Env{}, func(r *http.Request) (*http.Response, error) {
					return held(r, controls[name]), nil
				}, func(o *Options) { o.IDs = idsReplay })
				if got := words(take(t, s, "", len(want))); !slices.Equal(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		})
	}
}

// TestControlLost: the answer to a position that another Sidestream doesn't
// know says where to go on; that to an id which the source has by itself is
// passed on.
func TestControlLost(t *testing.T) {
	lose := func(r *http.Request) (*http.Response, error) {
		id := r.Header.Get("Last-Event-ID")
		if id == "" {
			return answer("id: 7\ndata: x\n\n"), nil
		}
		return held(r, `event: stream.gap`+"\n"+`data: {"reason":"expired","requested":"`+id+`","resumed":"40~1","lost":33}`+"\n\ndata: y\n\n"), nil
	}
	for ids, resume := range map[IDs]adapters.Position{idsPass: "", idsReplay: "=NDB-MQ"} {
		synctest.Test(t, func(t *testing.T) {
			s := openScript(adapters.Env{}, lose, func(o *Options) { o.IDs = ids })
			got, err := all(t, s, "7")
			var lost *adapters.PositionLostError
			if !errors.As(err, &lost) || *lost != (adapters.PositionLostError{Reason: adapters.LostExpired, Resume: resume, Lost: 33}) || len(got) > 0 {
				t.Errorf("%s: got %v and %+v, want it lost, and to resume at %q", ids, words(got), err, resume)
			}
			if got, want := words(take(t, s, "", 3)), []string{"7||x", "gap expired at =NDB-MQ", "7||y"}; !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", ids, got, want)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) { // where the gap is known anyway
		got := words(take(t, openScript(adapters.Env{}, lose, nil), "", 3))
		if want := []string{"||x", "gap expired", "||y"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestControlGap: a gap that is no answer to the position is passed on, and it
// is behind it that the source goes on.
func TestControlGap(t *testing.T) {
	const gap = `event: stream.gap` + "\n" + `data: {"reason":"expired","requested":"`
	for name, tt := range map[string]struct {
		first string
		want  []string
	}{
		"later":               {"id: 8\ndata: x\n\n" + gap + `8","resumed":"40","lost":1}` + "\n\n", []string{"8||x", "gap expired at 40", "41||y"}},
		"for somebody else":   {gap + `5","resumed":"40","lost":1}` + "\n\n", []string{"gap expired at 40", "41||y"}},
		"and an id behind it": {gap + `5","resumed":"30","lost":1}` + "\n\nid: 40\n\n", []string{"gap expired at 30", "41||y"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := openScript(adapters.Env{}, func(r *http.Request) (*http.Response, error) {
				switch id := r.Header.Get("Last-Event-ID"); id {
				case "7":
					return answer(tt.first), nil
				case "40":
					return held(r, "id: 41\ndata: y\n\n"), nil
				default:
					t.Errorf("%s: got a request after %q", name, id)
					return reply(http.StatusNoContent, http.NoBody), nil
				}
			}, func(o *Options) { o.IDs = idsReplay })
			if got := words(take(t, s, "7", len(tt.want))); !slices.Equal(got, tt.want) {
				t.Errorf("%s: got %q, want %q", name, got, tt.want)
			}
		})
	}
}

// TestControlEnd: stream.end is the end if nothing follows, however the
// connection ends, and says so if it was for want of other credentials.
func TestControlEnd(t *testing.T) {
	const bye = "id: 1\ndata: x\n\nid: -1\nevent: stream.end\ndata: "
	for _, tt := range []struct {
		name, data string
		forward    []string
		want       string
	}{
		{"end", "{}", nil, ""},
		{"end in other words", "that's all", nil, ""},
		{"denied", `{"status":403,"reason":"denied"}`, []string{"Cookie"}, "upstream refused the client's credentials with status 403"},
		{"configuration denied", `{"status":401,"reason":"denied"}`, nil, "upstream answered 401"},
	} {
		synctest.Test(t, func(t *testing.T) {
			for _, ids := range IDs("").Values() {
				s := openScript(adapters.Env{}, func(*http.Request) (*http.Response, error) {
					return answer(bye + tt.data + "\n\nretry: 10\n"), nil
				}, func(o *Options) { o.Forward, o.IDs = tt.forward, IDs(ids) })
				got, err := all(t, s, "")
				if len(got) != 1 || (err == nil) != (tt.want == "") || err != nil && !strings.HasPrefix(err.Error(), tt.want) {
					t.Errorf("%s, %s: got %q, %v, want one event, %q", tt.name, ids, words(got), err, tt.want)
				}
				if s.newest == "-1" {
					t.Errorf("%s: the next request would say that it has all", tt.name)
				}
			}
		})
	}
}

// TestTypes: types are renamed, reserved ones too.
func TestTypes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openScript(adapters.Env{}, func(r *http.Request) (*http.Response, error) {
			return held(r, "data: 1\n\nevent: old\ndata: 2\n\nevent: plain\ndata: 3\n\nevent: stream.end\ndata: 4\n\nevent: other\ndata: 5\n\n"), nil
		}, func(o *Options) {
			o.Types = map[string]string{"message": "tick", "old": "new", "plain": "", "stream.end": "over"}
		})
		want := []string{"|tick|1", "|new|2", "||3", "|over|4", "|other|5"}
		if got := words(take(t, s, "", len(want))); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
