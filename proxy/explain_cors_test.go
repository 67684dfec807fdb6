package proxy

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestExplainPreflight: what is explained of a preflight is what a server does,
// and it says why.
func TestExplainPreflight(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer app.Close()
	const routes = `
routes:
  - {path: /a, staged: {}, cors: {origins: ["` + page + `"]}}
  - {path: /b, staged: {}}
`
	for _, tt := range []struct {
		target, origin, method, headers string
		behind, alone                   string // kind of the outcome
		line                            int
		why                             string // "" if it isn't the route's
	}{
		{"/a", page, "GET", "authorization", Preflight, Preflight, 3, ""},
		{"/a", page, "GET", "x-other", Passed, Refused, 3, "may not send it all of x-other"},
		{"/a", "https://evil.example", "GET", "", Passed, Refused, 3, "pages of https://evil.example may not get its stream"},
		{"/a", "", "GET", "", Passed, Refused, 3, "names none"},
		{"/a", page, "PUT", "", Passed, Refused, 0, ""},
		{"/b", page, "GET", "", Passed, Refused, 0, ""},
	} {
		for _, c := range []struct{ first, want string }{{"upstream: " + app.URL, tt.behind}, {"admin: off", tt.alone}} {
			var lines []string
			for name, value := range map[string]string{"Origin": tt.origin, "Access-Control-Request-Method": tt.method, "Access-Control-Request-Headers": tt.headers} {
				if value != "" {
					lines = append(lines, name+": "+value)
				}
			}
			table := stagedTable(t, &staged{}, c.first+routes)
			r := asked(t.Context(), http.MethodOptions, tt.target, lines...)
			s := New(table, Settings{})
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r.Clone(t.Context()))
			s.transports.closeIdle()
			granted := w.Header().Get("Access-Control-Allow-Origin") != ""

			e := Explain(table, r, ExplainOptions{})
			if e.Outcome.Kind != c.want || e.Outcome.Line != tt.line || !strings.Contains(e.Outcome.Why, tt.why) {
				t.Errorf("%+v, %s: got %+v, want %s", tt, c.first, e.Outcome, c.want)
			}
			if explained := e.Outcome.Kind == Preflight; explained != granted || explained != e.Routes[0].Taken {
				t.Errorf("%+v, %s: got %+v and %+v, want what the server does, granted %v", tt, c.first, e.Outcome, e.Routes[0], granted)
			}
			if e.Outcome.Kind == Refused && e.Outcome.Status != w.Code {
				t.Errorf("%+v, %s: got status %d explained, want %d", tt, c.first, e.Outcome.Status, w.Code)
			}
		}
	}
}
