package poll

import (
	"net/http"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
)

// TestCounts: each exchange is counted once, by what came of its answer.
func TestCounts(t *testing.T) {
	const object, list = `{"next":"b"}`, `[{"id":1}]`
	tests := []struct {
		name    string
		edit    func(*Options)
		answers []string // bodies, or statuses; the last one for all that follow
		want    []string // of the first of them
	}{
		{"nothing to do", nil, []string{object, "304", object, "{}"}, []string{"200", "304", "200", "200"}},
		{"no JSON any more", nil, []string{object, "<p>log in"}, []string{"200", "unreadable"}},
		{"failing", nil, []string{"503"}, []string{"503"}},
		{"no expression for it", func(o *Options) { o.Select = ".next | .x" }, []string{object}, []string{"expression"}},
		{"items without a key", func(o *Options) { o.Emit, o.Items.Key = emitItems, ".key" }, []string{list}, []string{"expression"}},
		{"list without keys", func(o *Options) { o.Emit, o.Items.Key = emitAppend, ".key" }, []string{list}, []string{"expression"}},
		{"no pages", func(o *Options) { o.Pages.Param = "page" }, []string{object}, []string{"unreadable"}},
		{"pages", func(o *Options) { o.Pages.Param = "page" }, []string{list, list, "[]"}, []string{"200", "200", "200"}},
		{"pages of a list", func(o *Options) { asList(o); o.Pages.Param = "page" }, []string{list, list, "[]"}, []string{"200", "200", "200"}},
		{"second page failing", func(o *Options) { o.Pages.Param = "page" }, []string{list, "500"}, []string{"200", "500"}},
		{"second page unreadable", func(o *Options) { o.Pages.Param = "page" }, []string{list, object}, []string{"200", "unreadable"}},
		{"second page no items", func(o *Options) { asList(o); o.Pages.Param = "page" }, []string{list, "[{}]", "[]"}, []string{"200", "200", "expression"}},
		{"many pages", func(o *Options) { o.Pages.Param, o.Pages.Max = "page", 2 }, []string{list}, []string{"200", "pages"}},
		{"pages elsewhere", func(o *Options) { o.Pages.Next, o.Select = `"http://other.test"`, "[.]" }, []string{object}, []string{"pages"}},
		{"pages in a circle", func(o *Options) { o.Pages.Next, o.Select = `"/doc"`, "[.]" }, []string{object}, []string{"pages"}},
		{"cursor refused", func(o *Options) {
			asList(o)
			o.Query, o.Cursor.Next, o.Items.Each = map[string]string{"after": "{cursor}"}, ".next", "empty"
		}, []string{object, "400", object}, []string{"200", "400", "200"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var c tally
				n := 0
				s := openTest(script(func(*http.Request) (*http.Response, error) {
					answer := tt.answers[min(n, len(tt.answers)-1)]
					n++
					resp := reply(http.StatusOK, answer)
					if status, err := strconv.Atoi(answer); err == nil {
						resp = reply(status, "")
					}
					resp.Header.Set("ETag", `"x"`)
					return resp, nil
				}), func(o *Options) {
					o.Every, o.Jitter = evenly(time.Second), 0
					if tt.edit != nil {
						tt.edit(o)
					}
				})
				p := pollerOf(s)
				p.env = c.env()
				until(t, s, 10*time.Second, func(adapters.Event) error {
					if n >= len(tt.want) {
						return errEnough
					}
					return nil
				})
				if got := c.get(); n != len(tt.want) || !slices.Equal(got, tt.want) {
					t.Errorf("got %q of %d requests, want %q", got, n, tt.want)
				}
				if last := p.Report().Last; last != tt.want[len(tt.want)-1] {
					t.Errorf("got %s reported as the last, want %s", last, tt.want[len(tt.want)-1])
				}
			})
		})
	}
}
