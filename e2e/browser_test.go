package e2e

import (
	"context"
	"encoding/json"
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

// startBrowser starts one, with further flags.
func startBrowser(tb testing.TB, flags ...chromedp.ExecAllocatorOption) *browser {
	tb.Helper()
	name, err := exec.LookPath("chromium")
	if err != nil {
		tb.Fatalf("%v (setup.sh installs what the tests need)", err)
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), append([]chromedp.ExecAllocatorOption{
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
	}, flags...)...)
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

// json returns the value of a JavaScript expression in the tab.
func (p *tab) json(ctx context.Context, expression string) ([]byte, error) {
	inTab, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	return chromedp.Run(inTab, chromedp.Evaluate[[]byte](expression)) //nolint:contextcheck // it has to be the tab's, and ends with ctx
}

// An evaluator is a page in some browser.
type evaluator interface {
	// json returns the value of a JavaScript expression in the page as JSON.
	json(ctx context.Context, expression string) ([]byte, error)
}

// eval returns the value of a JavaScript expression in a page.
func eval[T any](tb testing.TB, p evaluator, expression string) (value T) {
	tb.Helper()
	text, err := p.json(context.Background(), expression)
	if err == nil {
		err = json.Unmarshal(text, &value)
	}
	if err != nil {
		tb.Fatalf("%s in the browser: %v", expression, err)
	}
	return value
}
