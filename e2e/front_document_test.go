package e2e

import (
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// proxiesDocument is what users copy their proxies' configuration from, and
// what is tested.
const proxiesDocument = "../docs/behind-proxies.md"

// documented are the configurations in proxiesDocument: the fenced blocks that
// stand under a mark with their name.
var documented = sync.OnceValues(func() (map[string]string, error) {
	text, err := os.ReadFile(proxiesDocument)
	if err != nil {
		return nil, err
	}
	blocks := map[string]string{}
	for _, found := range regexp.MustCompile("(?ms)^ *<!-- e2e: ([^\n]+) -->\n *```\\w*\n(.*?)^ *```$").FindAllStringSubmatch(string(text), -1) {
		blocks[found[1]] = found[2]
	}
	return blocks, nil
})

// snippet returns a configuration of the document, in which each old text, of
// pairs of old and new, is replaced by the new one. All of them have to occur.
func snippet(tb testing.TB, name string, oldNew ...string) string {
	tb.Helper()
	blocks, err := documented()
	if err != nil {
		tb.Fatal(err)
	}
	text, ok := blocks[name]
	if !ok {
		tb.Fatalf("got no configuration %q in %s, want one", name, proxiesDocument)
	}
	for i := 0; i < len(oldNew); i += 2 {
		if !strings.Contains(text, oldNew[i]) {
			tb.Fatalf("configuration %q of %s: got none of %q, want some, which the test replaces, in:\n%s", name, proxiesDocument, oldNew[i], text)
		}
		text = strings.ReplaceAll(text, oldNew[i], oldNew[i+1])
	}
	return text
}
