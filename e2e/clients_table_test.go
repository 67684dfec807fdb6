package e2e

// A behaviour is something that streams ask of their clients. It is the
// heading of a column in docs/clients.md.
type behaviour string

const (
	hearsTypes        behaviour = "types"
	hearsLines        behaviour = "lines"
	hearsEmpty        behaviour = "empty"
	hearsUnicode      behaviour = "unicode"
	hearsControls     behaviour = "controls"
	hearsNUL          behaviour = "NUL"
	hearsLarge        behaviour = "1 MB"
	hearsIDs          behaviour = "ids"
	ignoresHeartbeats behaviour = "heartbeats"
	obeysRetry        behaviour = "retry"
	resumesCut        behaviour = "cut"
	resumesKilled     behaviour = "killed"
	resumesClosed     behaviour = "closed"
	sendsID           behaviour = "header"
	staysAway         behaviour = "204"
	hearsGap          behaviour = "gap"
	hearsStale        behaviour = "stale"
)

// behaviours says what each of them is, in the order of the columns.
var behaviours = []struct {
	name behaviour
	text string
}{
	{hearsTypes, "events with a type reach its listeners (`addEventListener`), those without one `onmessage`"},
	{hearsLines, "a payload of several lines arrives with all of them, empty ones too, and with `\\n` for each line break"},
	{hearsEmpty, "an event with an empty payload is heard"},
	{hearsUnicode, "characters of all planes arrive as they are, a U+FEFF at the beginning and white space at both ends, too"},
	{hearsControls, "all control characters but NUL and line breaks arrive"},
	{hearsNUL, "NUL arrives"},
	{hearsLarge, "a payload of 1 MB arrives, and what follows it"},
	{hearsIDs, "every event comes with its own id"},
	{ignoresHeartbeats, "heartbeats make no event"},
	{obeysRetry, "after a loss the client waits for as long as the server's `retry` says"},
	{resumesCut, "when the network cuts the connection, again and again, no event is lost or repeated"},
	{resumesKilled, "the same when the server is killed and started again, with a durable history"},
	{resumesClosed, "the same when the server closes the connection, as it does with `max_age` and when it is told to leave"},
	{sendsID, "the last id comes in the header `Last-Event-ID`"},
	{staysAway, "after the end of a stream the client asks once more, is answered 204, and stays away"},
	{hearsGap, "`stream.gap` is heard when events are lost"},
	{hearsStale, "`stream.stale` and `stream.fresh` are heard when the upstream fails, and when it is back"},
}

// A realClient is a client that somebody else wrote.
type realClient struct {
	name       string // as docs/clients.md has it, where its version is put behind it if module is set
	module     string // of npm or Go
	advised    string // what was done to have it do better, for docs/clients.md; "": it is as it comes
	start      starter
	deviations []deviation
}

// A deviation is what a client does otherwise than the standard says. If a
// newer version of it no longer does, the test fails, and the deviation goes.
type deviation struct {
	from      behaviour
	outcome   string // what the test finds
	sometimes bool   // it may also do as it should
	text      string // what docs/clients.md says
}

// deviation returns how a client deviates from a behaviour, if it does.
func (c *realClient) deviation(from behaviour) (d deviation, ok bool) {
	for _, d := range c.deviations {
		if d.from == from {
			return d, true
		}
	}
	return deviation{}, false
}

var realClients = []*realClient{
	{
		name: "Firefox", start: inFirefox("EventSource"),
		deviations: []deviation{{
			from: hearsNUL, outcome: `message "a\x00b" is heard as message "ab"`,
			text: "drops NUL characters",
		}},
	},
	{name: "Chromium", start: inChromium("EventSource")},
	{
		name: "event-source-polyfill", module: "event-source-polyfill", start: inChromium("event-source-polyfill"),
		deviations: []deviation{{
			from: sendsID, outcome: "sends it in the query",
			text: "sends the last id as the query parameter `lastEventId`, which Sidestream reads as well",
		}},
	},
	{
		name: "@microsoft/fetch-event-source", module: "@microsoft/fetch-event-source", start: inChromium("fetch-event-source"),
		deviations: []deviation{
			fetchLines, fetchMark,
			{
				from: resumesClosed, outcome: "gives up",
				text: "takes a connection that the server has closed for the end, and doesn't come back; `onclose` has to throw",
			},
			{
				from: staysAway, outcome: "doesn't ask again",
				text: "doesn't ask again, as after any other response that has ended",
			},
		},
	},
	{
		name: "@microsoft/fetch-event-source, as advised", module: "@microsoft/fetch-event-source", start: inChromium("fetch-event-source+"),
		advised:    "`onclose` throws, so that `onerror` lets it come back, and `onopen` throws for good after any other status than 200; `openWhenHidden` keeps the stream while the page is out of sight: [`e2e/node/fetch_event_source.js`](../e2e/node/fetch_event_source.js)",
		deviations: []deviation{fetchLines, fetchMark},
	},
	{name: "eventsource", module: "eventsource", start: inNode("eventsource")},
	{name: "eventsource", module: "eventsource-2", start: inNode("eventsource-2")},
	{name: "undici", module: "undici", start: inNode("undici")},
	{
		name: "tmaxmax/go-sse", module: "github.com/tmaxmax/go-sse", start: inGo("go-sse"),
		deviations: []deviation{
			bufferTooSmall,
			{
				from: obeysRetry, outcome: "comes back after more than half of the time", sometimes: true,
				text: "waits between a half and one and a half of the time, at random, unless `Backoff.Jitter` says otherwise (0 doesn't)",
			},
			{from: resumesClosed, outcome: "hears empty messages", text: emptyAtClose},
		},
	},
	{
		name: "tmaxmax/go-sse, as advised", module: "github.com/tmaxmax/go-sse", start: inGo("go-sse+"),
		advised: "`Buffer` makes room, a small `Jitter` keeps it to the server's `retry`, and an event without type and data that has the id of the one before is dropped: [`e2e/goclients/gosse.go`](../e2e/goclients/gosse.go)",
	},
	{
		name: "r3labs/sse", module: "github.com/r3labs/sse/v2", start: inGo("r3labs"),
		deviations: []deviation{
			bufferTooSmall,
			{
				from: obeysRetry, outcome: "comes back sooner",
				text: "has a pace of its own, by which it also gives up 15 minutes after it was started, whatever has worked since; a `ReconnectStrategy` can use the events' `Retry`",
			},
			{
				from: resumesClosed, outcome: "hears empty messages, gives up",
				text: "returns when the server closes the connection, and has to be called again; before that it makes an empty event of the `retry` with which the server does so",
			},
			{
				from: staysAway, outcome: "doesn't ask again",
				text: "doesn't ask again, as after any other response that has ended",
			},
		},
	},
	{
		name: "r3labs/sse, as advised", module: "github.com/r3labs/sse/v2", start: inGo("r3labs+"),
		advised: "`ClientMaxBufferSize` makes room, a `ReconnectStrategy` keeps to the server's `retry` and doesn't give up, a loop subscribes again, a `ResponseValidator` ends it after any other status than 200, and an event without type and data that has the id of the one before is dropped: [`e2e/goclients/r3labs.go`](../e2e/goclients/r3labs.go)",
	},
	{
		name: "launchdarkly/eventsource", module: "github.com/launchdarkly/eventsource", start: inGo("launchdarkly"),
		deviations: []deviation{{
			from: staysAway, outcome: "asks again and again",
			text: "asks again and again, unless a handler of errors closes it",
		}},
	},
	{
		name: "launchdarkly/eventsource, as advised", module: "github.com/launchdarkly/eventsource", start: inGo("launchdarkly+"),
		advised: "a handler of errors closes it after any other status than 200: [`e2e/goclients/launchdarkly.go`](../e2e/goclients/launchdarkly.go)",
	},
	{
		name: "curl", start: withCurl,
		deviations: []deviation{
			{from: obeysRetry, outcome: "stays away", text: curlIsOne},
			{from: resumesCut, outcome: "hears no more", text: curlIsOne},
			{from: resumesKilled, outcome: "hears no more", text: curlIsOne},
			{from: resumesClosed, outcome: "gives up", text: curlIsOne},
			{from: sendsID, outcome: "stays away", text: curlIsOne},
			{from: staysAway, outcome: "doesn't ask again", text: curlIsOne},
			{from: hearsGap, outcome: "hears no more", text: curlIsOne},
		},
	},
}

const (
	emptyAtClose = "makes an empty event of the `retry` with which the server closes a connection"
	curlIsOne    = "is one request; `-H 'Last-Event-ID: …'` goes on after an event, and what it prints is what is sent, heartbeats included"
)

var (
	fetchLines = deviation{
		from: hearsLines, outcome: `message "\n\nthird" is heard as message "third"`,
		text: "drops empty lines at the beginning of a payload",
	}
	fetchMark = deviation{
		from: hearsUnicode, outcome: `message "\ufeffa mark of byte order" is heard as message "a mark of byte order"`,
		text: "drops a U+FEFF at the beginning of a line",
	}
	bufferTooSmall = deviation{
		from: hearsLarge, outcome: "asks for it again and again",
		text: "has room for events of less than 64 KiB, and asks for a larger one again and again, unless it is given more; `max_event_size` in a route keeps such events out",
	}
)
