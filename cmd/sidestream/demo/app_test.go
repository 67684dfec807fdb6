package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// do sends a request with headers given as name, value, ….
func do(t *testing.T, a *App, method, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w
}

type document struct {
	Polls   int     `json:"polls"`
	Viewers int     `json:"viewers"`
	Orders  []order `json:"orders"`
}

func poll(t *testing.T, a *App) (d document, tag string) {
	t.Helper()
	w := do(t, a, "GET", "/api/orders")
	if w.Code != http.StatusOK {
		t.Fatalf("GET /api/orders: got status %d, want 200", w.Code)
	}
	if got, want := w.Header().Get("Content-Type"), "application/json"; got != want {
		t.Errorf("Content-Type: got %q, want %q", got, want)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
		t.Fatalf("GET /api/orders: %v", err)
	}
	return d, w.Header().Get("ETag")
}

func TestPageAndAssets(t *testing.T) {
	a := New()
	for path, want := range map[string]string{
		"/":                    "text/html; charset=utf-8",
		"/assets/app.js":       "text/javascript; charset=utf-8",
		"/assets/orders.js":    "text/javascript; charset=utf-8",
		"/assets/patch.js":     "text/javascript; charset=utf-8",
		"/assets/events.js":    "text/javascript; charset=utf-8",
		"/assets/inspector.js": "text/javascript; charset=utf-8",
		"/assets/stream.js":    "text/javascript; charset=utf-8",
		"/assets/style.css":    "text/css; charset=utf-8",
		"/assets/icon.svg":     "image/svg+xml",
	} {
		w := do(t, a, "GET", path)
		if w.Code != http.StatusOK || w.Body.Len() == 0 {
			t.Errorf("%s: got status %d and %d bytes, want 200 and some", path, w.Code, w.Body.Len())
		}
		if got := w.Header().Get("Content-Type"); got != want {
			t.Errorf("%s: Content-Type: got %q, want %q", path, got, want)
		}
		if got := w.Header().Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'none'") {
			t.Errorf("%s: Content-Security-Policy: got %q, want one that allows nothing by default", path, got)
		}
	}
	for _, path := range []string{"/nothing", "/assets/", "/assets/nothing", "/assets/..%2findex.html"} {
		if w := do(t, a, "GET", path); w.Code < 400 || w.Code > 499 {
			t.Errorf("%s: got status %d, want 4xx", path, w.Code)
		}
	}
}

func TestOrdersAreConditional(t *testing.T) {
	a := New()
	first, tag := poll(t, a)
	if len(first.Orders) < minOrders {
		t.Errorf("got %d orders, want at least %d", len(first.Orders), minOrders)
	}
	if w := do(t, a, "GET", "/api/orders", "If-None-Match", tag); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
		t.Errorf("unchanged: got status %d and %d bytes, want 304 and none", w.Code, w.Body.Len())
	}
	a.change()
	if w := do(t, a, "GET", "/api/orders", "If-None-Match", tag); w.Code != http.StatusOK {
		t.Errorf("changed: got status %d, want 200", w.Code)
	}
	if _, other := poll(t, New()); other == tag {
		t.Errorf("another run: got the same ETag %s, want another", other)
	}
}

func TestPollsAreCounted(t *testing.T) {
	a := New()
	_, tag := poll(t, a)
	do(t, a, "GET", "/api/orders", "If-None-Match", tag)
	do(t, a, "POST", "/api/outage")
	do(t, a, "GET", "/api/orders")
	do(t, a, "GET", "/")
	if got, want := stat(t, a), (stats{Polls: 3}); got != want {
		t.Errorf("after 200, 304 and 503: got %+v, want %+v", got, want)
	}
}

func stat(t *testing.T, a *App) (s stats) {
	t.Helper()
	if err := json.Unmarshal(do(t, a, "GET", "/api/stats").Body.Bytes(), &s); err != nil {
		t.Fatalf("GET /api/stats: %v", err)
	}
	return s
}

func TestViewersAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New()
		ctx, cancel := context.WithCancel(t.Context())
		go a.Run(ctx)
		defer synctest.Wait()
		defer cancel()
		expect := func(when string, want int) {
			t.Helper()
			if got := stat(t, a).Viewers; got != want {
				t.Errorf("%s: got %d viewers, want %d", when, got, want)
			}
		}
		_, tag := poll(t, a)
		do(t, a, "POST", "/api/viewers/a")
		if _, now := poll(t, a); now == tag {
			t.Errorf("a viewer came: got the same ETag %s, want another", now)
		}
		do(t, a, "POST", "/api/viewers/b")
		do(t, a, "POST", "/api/viewers/b")
		expect("two came", 2)
		do(t, a, "POST", "/api/viewers/b/left")
		do(t, a, "POST", "/api/viewers/b/left")
		expect("one left", 1)
		do(t, a, "POST", "/api/viewers/"+strings.Repeat("x", maxViewerID+1))
		expect("one came with an absurd id", 1)

		time.Sleep(lease - time.Second) // in the test's own time
		do(t, a, "POST", "/api/viewers/a")
		time.Sleep(lease - time.Second)
		expect("the other renewed its lease", 1)
		time.Sleep(maxPause + 2*time.Second)
		expect("its lease ran out", 0)

		for i := range maxViewers + 10 {
			do(t, a, "POST", fmt.Sprintf("/api/viewers/%d", i))
		}
		expect("a crowd came", maxViewers)
	})
}

func TestOutagePasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New()
		do(t, a, "POST", "/api/outage")
		if w := do(t, a, "GET", "/api/orders"); w.Code != http.StatusServiceUnavailable {
			t.Errorf("during the outage: got status %d, want 503", w.Code)
		}
		time.Sleep(outage) // in the test's own time
		poll(t, a)
	})
}

// TestRunChangesOrders watches for ten minutes of the test's own time.
func TestRunChangesOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New()
		ctx, cancel := context.WithCancel(t.Context())
		go a.Run(ctx)
		defer synctest.Wait()
		defer cancel()

		came, went, status, amount := 0, 0, 0, 0
		before, tag := poll(t, a)
		for range 600 {
			time.Sleep(time.Second)
			now, nowTag := poll(t, a)
			if changed := fmt.Sprint(now.Orders) != fmt.Sprint(before.Orders); changed && nowTag == tag {
				t.Fatalf("got the same ETag %s for other orders, want another", tag)
			}
			if n := len(now.Orders); n < minOrders || n > maxOrders {
				t.Fatalf("got %d orders, want %d to %d", n, minOrders, maxOrders)
			}
			old := map[string]order{}
			for _, o := range before.Orders {
				old[o.ID] = o
			}
			for _, o := range now.Orders {
				was, there := old[o.ID]
				delete(old, o.ID)
				switch {
				case !there:
					came++
				case was.Status != o.Status:
					status++
				case was.Cents != o.Cents:
					amount++
				}
				if o.Cents <= 0 {
					t.Fatalf("got order %+v, want an amount above 0", o)
				}
			}
			went += len(old)
			before, tag = now, nowTag
		}
		if min(came, went, status, amount) < 10 {
			t.Errorf("got %d rows that came, %d that went, %d changes of status and %d of amount in ten minutes, want at least 10 of each", came, went, status, amount)
		}
	})
}
