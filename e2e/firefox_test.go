package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// A firefox is a headless Firefox with a profile of its own, driven by
// WebDriver BiDi (https://w3c.github.io/webdriver-bidi/), which it speaks by
// itself.
type firefox struct {
	mu   sync.Mutex // one command at a time
	conn *websocket.Conn
	last int // command's id
}

// firefoxStart is how long Firefox may take to start, which with a new profile
// is long on a machine that is busy.
const firefoxStart = 90 * time.Second

// firefoxPrefs keep Firefox from asking anything of anybody, and from taking a
// page in the background less seriously.
const firefoxPrefs = `
user_pref("app.normandy.enabled", false);
user_pref("app.update.enabled", false);
user_pref("browser.aboutConfig.showWarning", false);
user_pref("browser.newtabpage.enabled", false);
user_pref("browser.safebrowsing.downloads.enabled", false);
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
user_pref("browser.safebrowsing.update.enabled", false);
user_pref("browser.search.update", false);
user_pref("browser.sessionstore.resume_from_crash", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("browser.startup.page", 0);
user_pref("datareporting.healthreport.uploadEnabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("dom.min_background_timeout_value", 4);
user_pref("dom.timeout.enable_budget_timer_throttling", false);
user_pref("extensions.getAddons.cache.enabled", false);
user_pref("extensions.systemAddon.update.enabled", false);
user_pref("extensions.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("network.dns.disablePrefetch", true);
user_pref("network.prefetch-next", false);
user_pref("services.settings.server", "data:,#none");
user_pref("toolkit.telemetry.enabled", false);
user_pref("toolkit.telemetry.server", "");
`

var bidiAddress = regexp.MustCompile(`WebDriver BiDi listening on (ws://\S+)`)

func startFirefox(tb testing.TB) *firefox {
	tb.Helper()
	dir := tb.TempDir()
	writeFile(tb, filepath.Join(dir, "profile", "user.js"), firefoxPrefs)
	// A home of its own: Firefox refuses one that is somebody else's.
	p := launch(tb, "env", "HOME="+dir, "MOZ_CRASHREPORTER_DISABLE=1", "firefox-esr", "--headless", "--no-remote",
		"--profile", filepath.Join(dir, "profile"), "--remote-debugging-port", "0", "about:blank")
	var address string
	waitFor(tb, firefoxStart, "firefox listening", func() (any, bool) {
		if !p.running() {
			tb.Fatalf("got an end of firefox, want it running (setup.sh installs what the tests need)")
		}
		found := bidiAddress.FindStringSubmatch(p.output.String())
		if found == nil {
			return p.output.tail(500), false
		}
		address = found[1] + "/session"
		return nil, true
	})
	ctx, cancel := context.WithTimeout(context.Background(), firefoxStart)
	defer cancel()
	conn, resp, err := websocket.Dial(ctx, address, nil)
	if err != nil {
		tb.Fatalf("firefox: %v", err)
	}
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	conn.SetReadLimit(64 << 20)
	tb.Cleanup(func() { _ = conn.CloseNow() })
	b := &firefox{conn: conn}
	if err := b.call(ctx, "session.new", map[string]any{"capabilities": map[string]any{}}, nil); err != nil {
		tb.Fatalf("firefox: %v", err)
	}
	return b
}

// call carries out a command and decodes its result, if that isn't nil.
func (b *firefox) call(ctx context.Context, method string, params, result any) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	if err := wsjson.Write(ctx, b.conn, map[string]any{"id": b.last, "method": method, "params": params}); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	for {
		var answer struct {
			ID      int
			Error   string
			Message string
			Result  json.RawMessage
		}
		if err := wsjson.Read(ctx, b.conn, &answer); err != nil {
			return fmt.Errorf("%s: %w", method, err)
		}
		switch {
		case answer.ID != b.last: // an event
		case answer.Error != "":
			return fmt.Errorf("%s: %s: %s", method, answer.Error, answer.Message)
		case result == nil:
			return nil
		default:
			return json.Unmarshal(answer.Result, result)
		}
	}
}

// A firefoxTab is a page in a firefox.
type firefoxTab struct {
	browser *firefox
	context string
}

// open opens url in a new window, so that the page is in nobody's background.
func (b *firefox) open(tb testing.TB, url string) *firefoxTab {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), firefoxStart)
	defer cancel()
	var created struct{ Context string }
	err := b.call(ctx, "browsingContext.create", map[string]any{"type": "window"}, &created)
	if err == nil {
		err = b.call(ctx, "browsingContext.navigate", map[string]any{"context": created.Context, "url": url, "wait": "complete"}, nil)
	}
	if err != nil {
		tb.Fatalf("firefox: open %s: %v", url, err)
	}
	return &firefoxTab{b, created.Context}
}

// json returns the value of a JavaScript expression in the tab.
func (p *firefoxTab) json(ctx context.Context, expression string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var answer struct {
		Result           struct{ Value string }
		ExceptionDetails struct{ Text string }
	}
	err := p.browser.call(ctx, "script.evaluate", map[string]any{
		"expression":   "JSON.stringify(" + expression + ")",
		"target":       map[string]any{"context": p.context},
		"awaitPromise": false,
	}, &answer)
	if err == nil && answer.ExceptionDetails.Text != "" {
		err = errors.New(answer.ExceptionDetails.Text)
	}
	return []byte(answer.Result.Value), err
}

// resize gives the page a size in pixels.
func (p *firefoxTab) resize(tb testing.TB, width, height int) {
	tb.Helper()
	p.do(tb, "browsingContext.setViewport", map[string]any{"viewport": map[string]any{"width": width, "height": height}}, nil)
}

// picture writes a picture of the whole page to a file.
func (p *firefoxTab) picture(tb testing.TB, file string) {
	tb.Helper()
	var shot struct{ Data string }
	p.do(tb, "browsingContext.captureScreenshot", map[string]any{"origin": "document"}, &shot)
	image, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		err = os.WriteFile(file, image, 0o644)
	}
	if err != nil {
		tb.Fatalf("firefox: %v", err)
	}
}

// do carries out a command for the tab.
func (p *firefoxTab) do(tb testing.TB, method string, params map[string]any, result any) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), firefoxStart)
	defer cancel()
	params["context"] = p.context
	if err := p.browser.call(ctx, method, params, result); err != nil {
		tb.Fatalf("firefox: %v", err)
	}
}
