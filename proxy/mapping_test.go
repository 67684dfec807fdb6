package proxy

import (
	"strings"
	"testing"

	"sidestream/adapters"
)

// Payloads made by expressions are JSON on a single line (W7).
func TestExpressions(t *testing.T) {
	inWorld(t, `
routes:
  - path: /orders/{user}
    log: {name: r}
    event:
      where: .user == $vars.user and .total > 0
      type: .kind
      data: "{id, total, route: $route}"
`, func(w *world) {
		c := w.connect("/orders/ann")
		defer c.drop()
		w.publish("r",
			`{"user":"ann","kind":"placed","id":12345678901234567890123,"total":0.10}`, // exact numbers
			`{"user":"bob","kind":"placed","id":2,"total":5}`,
			`{"user":"ann","kind":null,"id":1e400,"total":5}`,
			`not JSON`,
			`{"user":"ann","kind":{},"id":4,"total":5}`,
			`{"user":"ann","kind":"paid","id":5,"total":5}`)
		c.wants(
			`r.0.1 placed {"id":12345678901234567890123,"route":"/orders/{user}","total":0.10}`,
			`r.0.3 {"id":1e400,"route":"/orders/{user}","total":5}`,
			`r.0.3 stream.gap {"reason":"invalid","requested":"r.0.3","resumed":"r.0.4","lost":1}`,
			`r.0.3 stream.gap {"reason":"invalid","requested":"r.0.4","resumed":"r.0.5","lost":1}`,
			`r.0.6 paid {"id":5,"route":"/orders/{user}","total":5}`)
		for reason, want := range map[string]string{"filtered": "1", "expression": "2"} {
			if got := w.metric(`sidestream_dropped_events_total{reason="` + reason + `",route="/orders/{user}"}`); got != want {
				t.Errorf("dropped, %s: got %s, want %s", reason, got, want)
			}
		}
		if log := w.log.String(); strings.Contains(log, "not JSON\"") || !strings.Contains(log, "the payload is not JSON") {
			t.Errorf("the log should say what is wrong, and not quote payload:\n%s", log)
		}
	})
}

func TestSplitMessages(t *testing.T) {
	inWorld(t, `
routes:
  - path: /r
    log: {name: r}
    linger: 0s
    event: {each: ".items[]", where: ". != 0", data: "."}
`, func(w *world) {
		w.publish("r", `{"items":[]}`)
		c := w.connect("/r")
		w.publish("r", `{"items":["a"]}`, `{"items":[0,"b",0,"c","d"]}`, `{"items":[0]}`, `{"items":["e"]}`)
		all := []string{"r.0.2 a", "r.0.2~1 b", "r.0.2~2 c", "r.0.3 d", "r.0.5 e"}
		c.wants(all...)
		// From each of them, in the feed and by a private replay alike.
		for i, e := range all {
			id, _, _ := strings.Cut(e, " ")
			again := w.connect("/r", "Last-Event-ID: "+id)
			again.wants(all[i+1:]...)
			again.drop()
		}
		c.drop()
		for i, e := range all {
			id, _, _ := strings.Cut(e, " ")
			again := w.connect("/r", "Last-Event-ID: "+id)
			again.wants(all[i+1:]...)
			again.drop()
		}
	})
}

func TestPayloads(t *testing.T) {
	inWorld(t, `
routes:
  - {path: /plain, log: {name: r1}, max_event_size: 10B}
  - {path: /base64, log: {name: r2}, encoding: base64}
  - {path: /empty, log: {name: r3}, empty: "null"}
`, func(w *world) {
		plain, encoded, empty := w.connect("/plain"), w.connect("/base64"), w.connect("/empty")
		defer plain.drop()
		defer encoded.drop()
		defer empty.drop()
		for _, name := range []string{"r1", "r2", "r3"} {
			w.publish(name, "", "\xff\x00\n")
		}
		w.publish("r1", "0123456789", "0123456789A")
		w.upstream("r1").Append(adapters.Event{Type: "stream.gap", Data: []byte("{}")},
			adapters.Event{Type: "a\nb"}, adapters.Event{Type: "fine"})
		gap := func(n string) string { return `stream.gap {"reason":"invalid","requested":"r1.0.` + n + `"…` }
		plain.wants("r1.0.1 ", // W5
			"r1.0.1 "+gap("1"), // W4
			"r1.0.3 0123456789",
			"r1.0.3 "+gap("3"),                     // C7
			"r1.0.3 "+gap("4"), "r1.0.3 "+gap("5"), // forged, and W3
			"r1.0.7 fine ")
		encoded.wants("r2.0.1 ", "r2.0.2 /wAK")           // W4
		empty.wants("r3.0.1 null", `r3.0.1 stream.gap …`) // C6
		for reason, want := range map[string]string{"not_text": "1", "too_large": "1", "reserved_type": "1", "unwritable": "1"} {
			if got := w.metric(`sidestream_dropped_events_total{reason="` + reason + `",route="/plain"}`); got != want {
				t.Errorf("dropped, %s: got %s, want %s", reason, got, want)
			}
		}
	})
}

func TestRouteGivesIDs(t *testing.T) {
	inWorld(t, `routes: [{path: /p, log: {name: p}, event: {id: .n, data: .text, type: .t}, history: {replay: all}}]`, func(w *world) {
		c := w.connect("/p")
		defer c.drop()
		w.publish("p", `{"n":99,"text":"QCOM 64.31","t":"stockTicker"}`, `{"n":"100","text":"a\nb"}`, `{"n":"no id\n"}`)
		c.wants("99 stockTicker QCOM 64.31", "100 a\nb", "100 stream.gap …")
		if !strings.Contains(c.bytes(), "id: 99\nevent: stockTicker\ndata: QCOM 64.31\n\n") { // X4
			t.Errorf("got %q", c.bytes())
		}
		again := w.connect("/p", "Last-Event-ID: 99")
		defer again.drop()
		again.wants("100 a\nb", "100 stream.gap …")
	})
}

// C7: who waits for a first state that can't be sent hears of it, as does who
// comes later.
func TestFirstStateIsRefused(t *testing.T) {
	inWorld(t, `routes: [{path: /s, log: {name: s}, live_marker: false, max_event_size: 10B}]`, func(w *world) {
		early := w.connect("/s")
		defer early.drop()
		w.publish("s", "much too long")
		late := w.connect("/s")
		defer late.drop()
		const gap = ` stream.gap {"reason":"invalid","requested":"s.0.0","resumed":"s.0.1","lost":1}`
		early.wants(gap)
		late.wants(gap)
		w.publish("s", "short")
		early.wants(gap, "s.0.2 short")
		late.wants(gap, "s.0.2 short")
	})
}

// TestStateIsMapped: expressions apply to a state as to any message, and a
// state that can't be mapped leaves the last good one.
func TestStateIsMapped(t *testing.T) {
	inWorld(t, `routes: [{path: /s, log: {name: s}, live_marker: false, event: {data: .orders, type: '"orders"'}}]`, func(w *world) {
		w.publish("s", `{"orders":[1]}`)
		defer w.connect("/s").drop()
		w.publish("s", `broken`)
		fresh := w.connect("/s")
		defer fresh.drop()
		const gap = `s.0.1 stream.gap {"reason":"invalid","requested":"s.0.1","resumed":"s.0.2","lost":1}`
		fresh.wants("s.0.1 orders [1]", gap)
		w.publish("s", `{"orders":[2]}`)
		fresh.wants("s.0.1 orders [1]", gap, "s.0.3 orders [2]")
	})
}
