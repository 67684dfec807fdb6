package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// startDemo runs "sidestream demo".
func startDemo(t testing.TB) *sidestream {
	t.Helper()
	listen, admin := fmt.Sprintf("127.0.0.1:%d", freePort(t)), fmt.Sprintf("127.0.0.1:%d", freePort(t))
	s := &sidestream{
		url: "http://" + listen, admin: "http://" + admin,
		args: []string{"demo", "--listen", listen, "--admin", admin, "--log-format", "json"},
	}
	s.start(t)
	return s
}

// text returns the text of the first element that a selector finds.
func text(t testing.TB, p evaluator, selector string) string {
	t.Helper()
	return eval[string](t, p, fmt.Sprintf("document.querySelector(%q).textContent", selector))
}

// awaitText waits until an element's text contains want.
func awaitText(t testing.TB, most time.Duration, p evaluator, selector, want string) {
	t.Helper()
	waitFor(t, most, fmt.Sprintf("%q in %s", want, selector), func() (any, bool) {
		got := text(t, p, selector)
		return got, strings.Contains(got, want)
	})
}

func rows(t testing.TB, p evaluator, filter string) int {
	t.Helper()
	return eval[int](t, p, fmt.Sprintf("document.querySelectorAll('#inspector-rows tr%s').length", filter))
}

// TestDemoOrders drives the table that is fed by a polled API: X8, and the
// stream on the API's own URL.
func TestDemoOrders(t *testing.T) {
	t.Parallel()
	s := startDemo(t)
	b := startBrowser(t)
	page := b.open(t, s.url)

	awaitText(t, patience, page, "#orders-state", "live")
	var before string
	wait(t, "orders", func() (any, bool) {
		before = text(t, page, "#orders-rows")
		return before, before != ""
	})
	wait(t, "other orders", func() (any, bool) {
		now := text(t, page, "#orders-rows")
		return now, now != before
	})
	awaitText(t, patience, page, "#viewers", "1")
	if got := rows(t, page, `[data-stream="/api/orders"]`); got < 2 {
		t.Errorf("got %d events of the orders in the inspector, want 2 or more (X11)", got)
	}
	if _, body, err := fetch(s.url + "/api/orders"); err != nil || !strings.HasPrefix(body, `{"polls":`) {
		t.Errorf("without asking for a stream: got %q, %v, want the application's own JSON", body, err)
	}

	second := b.open(t, s.url)
	awaitText(t, patience, page, "#viewers", "2")
	awaitText(t, patience, second, "#viewers", "2")

	page.do(t, chromedp.Click(chromedp.CSS("#outage")))
	awaitText(t, patience, page, "#orders-state", "stale: upstream answered 503")
	awaitText(t, patience, second, "#orders-state", "stale")
	awaitText(t, patience, page, "#orders-state", "live")
	for _, typ := range []string{"stream.stale", "stream.fresh"} {
		if !strings.Contains(text(t, page, "#inspector-rows"), typ) {
			t.Errorf("got no %s in the inspector, want one", typ)
		}
	}
	second.do(t, chromedp.Navigate("about:blank"))
	awaitText(t, patience, page, "#viewers", "1")

	const foreign = `performance.getEntriesByType("resource").filter((e) => !e.name.startsWith(location.origin + "/")).length`
	if got := eval[int](t, page, foreign); got != 0 {
		t.Errorf("got %d requests to elsewhere, want none", got)
	}
}

// click clicks on the first element that a selector finds.
func click(t testing.TB, p evaluator, selector string) {
	t.Helper()
	eval[bool](t, p, fmt.Sprintf("document.querySelector(%q).click() ?? true", selector))
}

// TestDemoEvents drives the four-type demonstration (X3) to its end (R7, R5)
// and stops another run of it (R9).
func TestDemoEvents(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T, url string) evaluator{
		"chromium": func(t *testing.T, url string) evaluator { t.Helper(); return startBrowser(t).open(t, url) },
		"firefox":  func(t *testing.T, url string) evaluator { t.Helper(); return startFirefox(t).open(t, url) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startDemo(t)
			testDemoEvents(t, s, open(t, s.url))
		})
	}
}

func testDemoEvents(t *testing.T, s *sidestream, page evaluator) { //nolint:thelper // a test, run in each browser
	awaitText(t, time.Minute, page, "#log", "the reconnect was answered 204")
	if got, want := text(t, page, "#count"), "30 of 30"; got != want {
		t.Errorf("got %q events, want %q", got, want)
	}
	if got, want := text(t, page, "#events-state"), "ended"; got != want {
		t.Errorf("got state %q, want %q", got, want)
	}
	if got := rows(t, page, `[data-stream="/events/demo"]`); got != 31 {
		t.Errorf("got %d events in the inspector, want 30 and the last", got)
	}
	last := eval[string](t, page, `[...document.querySelectorAll('#inspector-rows tr.control[data-stream="/events/demo"] td')].slice(2).map((c) => c.textContent).join(" ")`)
	if want := "stream.end -1 {}"; last != want {
		t.Errorf("got last event %q, want %q", last, want)
	}
	// Each type was shown in its own area, if it came; a run without one of
	// the four is possible, if rare.
	for _, typ := range []string{"coinToss", "dieRoll", "catFact", "meme"} {
		area := "#" + typ
		came := eval[bool](t, page, fmt.Sprintf(`[...document.querySelectorAll("#log .type")].some((e) => e.textContent === %q)`, typ))
		if got := text(t, page, area) != "–"; got != came {
			t.Errorf("%s: got shown %v, want %v", area, got, came)
		}
	}

	click(t, page, "#start")
	wait(t, "some events", func() (any, bool) {
		got := text(t, page, "#count")
		return got, got == "2 of 30"
	})
	click(t, page, "#stop")
	s.awaitClients(t, "/events/demo", 0)
	before := text(t, page, "#count")
	click(t, page, "#clock")
	wait(t, "ticks of the clock", func() (any, bool) {
		n := rows(t, page, `[data-stream="/events/clock"]`)
		return n, n >= 3
	})
	if got := text(t, page, "#count"); got != before {
		t.Errorf("got %s after the stop, want %s as before", got, before)
	}
	if got, want := text(t, page, "#events-state"), "stopped"; got != want {
		t.Errorf("got state %q, want %q", got, want)
	}
}

// TestDemoShowsHostileDataAsText proves R11: the page with streams whose data
// would be markup or script.
func TestDemoShowsHostileDataAsText(t *testing.T) {
	t.Parallel()
	app := startDemo(t)
	s := serve(t, `
upstream: `+app.url+`
routes:
  - path: /api/orders
    history: {replay: all}
    generate:
      type: snapshot
      data: '{"polls": "<b>1</b>", "viewers": 1, "orders": [{"id": "<script>hacked=1</script>", "item": "<img src=x onerror=hacked=1>", "destination": "<svg onload=hacked=1>", "status": "\" onclick=hacked=1", "cents": 1}]}'
  - path: /events/demo
    query: [visit]
    history: {replay: all}
    generate:
      every: 200ms
      choose: cycle
      events:
        - {type: coinToss, data: '<img src=x onerror=hacked=1>'}
        - {type: dieRoll, data: '1"><img src=x onerror=hacked=1>'}
        - {type: catFact, data: '<iframe srcdoc="<script>parent.hacked=1</script>"></iframe>'}
        - {type: meme, data: '{"face": "<b>", "top": "<img src=x onerror=hacked=1>", "bottom": "<script>hacked=1</script>"}'}
`)
	page := startBrowser(t).open(t, s.url)
	awaitText(t, patience, page, "#orders-rows", "<img src=x onerror=hacked=1>")
	awaitText(t, patience, page, "#meme-bottom", "<script>hacked=1</script>")
	awaitText(t, patience, page, "#catFact", "<iframe srcdoc")
	awaitText(t, patience, page, "#coinToss", "<img src=x")
	awaitText(t, patience, page, "#log", "<script>hacked=1</script>")
	awaitText(t, patience, page, "#inspector-rows", "<svg onload=hacked=1>")
	if got := eval[int](t, page, `document.querySelectorAll("main :is(img, script, svg, iframe, b)").length`); got != 0 {
		t.Errorf("got %d elements made of data, want none", got)
	}
	if got := eval[string](t, page, "typeof hacked"); got != "undefined" {
		t.Errorf("got a script run, want none")
	}
}

// TestDemoFits looks at the page in light and dark, wide and narrow: nothing
// sticks out. With -artifacts the pictures are kept.
func TestDemoFits(t *testing.T) {
	t.Parallel()
	s := startDemo(t)
	page := startBrowser(t).open(t, s.url)
	wait(t, "six events", func() (any, bool) {
		n := rows(t, page, `[data-stream="/events/demo"]`)
		return n, n >= 6
	})
	dir := t.ArtifactDir()
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1440, 900, 360} {
			page.do(t, prefer(scheme), chromedp.EmulateViewport(width, 900))
			if got := eval[int64](t, page, "document.documentElement.scrollWidth"); got > width {
				t.Errorf("%s, %d wide: got a page of %d, want one that fits", scheme, width, got)
			}
			const hidden = `((s) => s.scrollWidth - s.clientWidth)(document.querySelector("#orders .scroll"))`
			if got := eval[int](t, page, hidden); got > 0 {
				t.Errorf("%s, %d wide: got %d pixels of the orders out of sight, want none", scheme, width, got)
			}
			picture, err := chromedp.Run(page.ctx, chromedp.FullScreenshot(100))
			if err != nil {
				t.Fatalf("screenshot: %v", err)
			}
			name := filepath.Join(dir, fmt.Sprintf("%s-%d.png", scheme, width))
			if err := os.WriteFile(name, picture, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestDemoFitsFirefox looks at the same in Firefox, as it comes.
func TestDemoFitsFirefox(t *testing.T) {
	t.Parallel()
	s := startDemo(t)
	page := startFirefox(t).open(t, s.url)
	wait(t, "six events", func() (any, bool) {
		n := rows(t, page, `[data-stream="/events/demo"]`)
		return n, n >= 6
	})
	dir := t.ArtifactDir()
	for _, width := range []int{1440, 900, 360} {
		page.resize(t, width, 900)
		if got := eval[int](t, page, "document.documentElement.scrollWidth"); got > width {
			t.Errorf("%d wide: got a page of %d, want one that fits", width, got)
		}
		page.picture(t, filepath.Join(dir, fmt.Sprintf("firefox-%d.png", width)))
	}
}

// prefer makes the tab prefer a colour scheme.
func prefer(scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})
}
