package e2e

import (
	"context"
	"os/exec"
	"testing"

	"github.com/chromedp/chromedp"
)

// A browser is a headless Chromium with a profile of its own.
type browser struct {
	ctx context.Context //nolint:containedctx // in chromedp, a context is the browser
}

// A tab is a page in a browser.
type tab struct {
	ctx context.Context //nolint:containedctx // in chromedp, a context is the tab
}

func startBrowser(tb testing.TB) *browser {
	tb.Helper()
	name, err := exec.LookPath("chromium")
	if err != nil {
		tb.Fatalf("%v (setup.sh installs what the tests need)", err)
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(name),
		chromedp.UserDataDir(tb.TempDir()),
		chromedp.Headless,
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
	)
	tb.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	tb.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		tb.Fatalf("start chromium: %v", err)
	}
	return &browser{ctx}
}

// open opens url in a new tab, which is closed at the end of the test.
func (b *browser) open(tb testing.TB, url string) *tab {
	tb.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	tb.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		tb.Fatalf("open %s: %v", url, err)
	}
	return &tab{ctx}
}

// do carries out actions in the tab.
func (p *tab) do(tb testing.TB, actions ...chromedp.Action[chromedp.Void]) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		tb.Fatalf("chromium: %v", err)
	}
}

// eval returns the value of a JavaScript expression in the tab.
func eval[T any](tb testing.TB, p *tab, expression string) T {
	tb.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		tb.Fatalf("chromium: %s: %v", expression, err)
	}
	return value
}
