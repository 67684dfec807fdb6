package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// feedSize is how many entries a feed shows.
const feedSize = 20

var feedStart = time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)

// atomFeed answers with an Atom feed (RFC 4287) that has an ETag, the last
// entries first.
func atomFeed(j *journal) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		entries, version := j.newest()
		var b strings.Builder
		b.WriteString("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>News</title>\n")
		for _, n := range entries[:min(feedSize, len(entries))] {
			_, _ = fmt.Fprintf(&b, "<entry><id>tag:example.org,2024:%d</id><title type=\"html\">%d</title><updated>%s</updated></entry>\n",
				n, n, feedStart.Add(time.Duration(n)*time.Minute).Format(time.RFC3339))
		}
		b.WriteString("</feed>")
		w.Header().Set("Content-Type", "application/atom+xml")
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, version))
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(b.String()))
	}
}

// rssFeed answers with an RSS 2.0 feed that has a Last-Modified.
func rssFeed(j *journal) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		entries, version := j.newest()
		var b strings.Builder
		b.WriteString("<?xml version=\"1.0\"?>\n<rss version=\"2.0\"><channel><title>News</title><link>http://example.org/</link>\n")
		for _, n := range entries[:min(feedSize, len(entries))] {
			_, _ = fmt.Fprintf(&b, "<item><title>%d</title><guid isPermaLink=\"false\">item-%d</guid></item>\n", n, n)
		}
		b.WriteString("</channel></rss>")
		w.Header().Set("Content-Type", "application/rss+xml; charset=utf-8")
		http.ServeContent(w, r, "", feedStart.Add(time.Duration(version)*time.Second), strings.NewReader(b.String()))
	}
}

// Feeds in XML, of which only the newest entries are there: each entry is an
// event once, and whoever was away for too long hears of it.
func TestLegacyFeeds(t *testing.T) {
	for name, kind := range map[string]struct {
		feed           func(*journal) http.HandlerFunc
		items, setting string
	}{
		"Atom": {atomFeed, `{each: "[.feed.entry] | flatten[] | select(. != null)", key: .id, data: '.title["#text"]', order: newest_first}`, "If-None-Match"},
		"RSS":  {rssFeed, `{each: ".rss.channel.item[]?", key: '.guid["#text"]', data: .title, order: newest_first}`, "If-Modified-Since"},
	} {
		table := func(api *legacyAPI) string {
			return quick + fmt.Sprintf("\nroutes:\n  - path: /list\n    poll: {url: %s/feed, emit: append, xml: {lists: [item]}, items: %s}\n", api.url, kind.items)
		}
		t.Run(name, func(t *testing.T) {
			t.Run("each once", func(t *testing.T) {
				j := new(journal)
				testJournal(t, j, table(startLegacy(t, kind.feed(j))))
			})
			t.Run("forgotten", func(t *testing.T) {
				j := new(journal)
				testForgotten(t, j, table(startLegacy(t, kind.feed(j))))
			})
			t.Run("from none, and unchanged", func(t *testing.T) {
				j := new(journal)
				api := startLegacy(t, kind.feed(j))
				s := serve(t, table(api))
				c := follow(t, s.url+"/list")
				s.awaitLog(t, "polled", 1)
				for range 3 {
					c.awaitMessage(t, j.add(1)[0])
					for _, r := range api.awaitAnswers(t, 4)[1:] {
						if r.status != http.StatusNotModified || r.header.Get(kind.setting) == "" {
							t.Errorf("got %d to %s %q, want 304 for an unchanged feed", r.status, kind.setting, r.header.Get(kind.setting))
						}
					}
				}
			})
		})
	}
}

// More entries than the feed shows come between two polls: what was missed is
// announced to those who are there, too.
func TestLegacyFeedOverrun(t *testing.T) {
	j := new(journal)
	j.add(1)
	api := startLegacy(t, atomFeed(j))
	s := serve(t, quick+fmt.Sprintf(`
routes:
  - path: /list
    poll: {url: %s/feed, emit: append, items: {each: "[.feed.entry] | flatten[]", key: .id, data: '.title["#text"]', order: newest_first}}
`, api.url))
	c := follow(t, s.url+"/list")
	s.awaitLog(t, "polled", 1)
	c.awaitMessage(t, j.add(1)[0])
	added := j.add(feedSize + 5)
	c.awaitMessage(t, added[len(added)-1])
	if got := c.events(); len(got) != 1+1+feedSize || got[1].Type != "stream.gap" || got[2].Data != added[5] {
		t.Errorf("got %v, want one entry, a gap, and the %d that are still there", got, feedSize)
	}
}

// An entry that is edited moves to the top of many a feed. That is no new
// entry, and hides none.
func TestLegacyFeedEdited(t *testing.T) {
	j := new(journal)
	j.add(5)
	api := startLegacy(t, atomFeed(j))
	s := serve(t, quick+fmt.Sprintf(`
routes:
  - path: /list
    poll: {url: %s/feed, emit: append, items: {each: "[.feed.entry] | flatten[]", key: .id, data: '.title["#text"]', order: newest_first}}
`, api.url))
	c := follow(t, s.url+"/list")
	s.awaitLog(t, "polled", 1)
	want := j.add(1)
	c.awaitMessage(t, want[0])
	for edited := 2; edited < 6; edited++ {
		// A new one, and before anybody asks, an old one is edited.
		want = append(want, j.addAndEdit(edited))
		c.awaitMessage(t, want[len(want)-1])
	}
	want = append(want, j.add(2)...)
	c.awaitMessage(t, want[len(want)-1])
	if got := c.messages(); fmt.Sprint(got) != fmt.Sprint(want) || c.has("stream.gap") {
		t.Errorf("got %v, want %v", c.events(), want)
	}
}
