package demo

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

// eachFile calls f with each file of the page.
func eachFile(t *testing.T, f func(name, text string)) {
	t.Helper()
	err := fs.WalkDir(page, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := page.ReadFile(name)
		f(name, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestPageLoadsNothingFromElsewhere proves that the page works offline.
func TestPageLoadsNothingFromElsewhere(t *testing.T) {
	elsewhere := regexp.MustCompile(`(?i)(https?:)?//[a-z0-9][a-z0-9.-]*\.[a-z]{2,}|@import|url\(`)
	const namespace = "http://www.w3.org/2000/svg" // a name, which nothing is loaded from
	eachFile(t, func(name, text string) {
		if got := elsewhere.FindString(strings.ReplaceAll(text, namespace, "")); got != "" {
			t.Errorf("%s: got %q, want no address outside of the page", name, got)
		}
	})
}

// TestPageShowsDataAsText proves a part of R11: no script of the page uses
// what makes markup or code of text.
func TestPageShowsDataAsText(t *testing.T) {
	interpreters := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|setHTML|document\.write|DOMParser|createContextualFragment|srcdoc|\beval\b|new Function|set(Timeout|Interval)\(["'\x60]`)
	inline := regexp.MustCompile(`(?i)<script>|<style|\son[a-z]+=|\sstyle=|=.javascript:`)
	eachFile(t, func(name, text string) {
		if got := interpreters.FindString(text); got != "" {
			t.Errorf("%s: got %q, want textContent", name, got)
		}
		if got := inline.FindString(text); got != "" {
			t.Errorf("%s: got %q, want nothing inline, which the page's own policy forbids", name, got)
		}
	})
}
