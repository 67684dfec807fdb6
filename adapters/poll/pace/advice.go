package pace

import (
	"net/http"
	"strings"
	"time"
)

// MaxWait is the longest that an API can put off the next request. A hostile
// or mistaken header can't stop a poll for ever.
const MaxWait = time.Hour

// Advice is what an API asks of its client. The zero value asks for nothing.
type Advice struct {
	// Wait is how long to wait, from when the answer came, before the same
	// resource is asked for again: from 0 to [MaxWait].
	Wait time.Duration

	// Why says what asks for it: "max-age", "x-poll-interval",
	// "retry-after", "ratelimit" or "x-ratelimit". It is empty if nothing
	// does.
	Why string

	// All says that all requests of this client to the host are to wait, and
	// not just those to this resource: for as long, unless the API asked for
	// less of them.
	All bool

	// others is how long those are to wait; 0: as long as Wait.
	others time.Duration
}

// pause returns how long no request at all is to be sent.
func (a Advice) pause() time.Duration {
	switch {
	case !a.All:
		return 0
	case a.others > 0:
		return a.others
	default:
		return a.Wait
	}
}

// Advise returns what an answer with this status and header, which came at
// now, asks for. Where several rules apply the longest wait wins; malformed,
// negative and past values are ignored.
//
//   - Cache-Control: max-age (RFC 9111, section 5.2.2.1), less the Age, of a
//     success or a 304: until then, asking again gets the same from any cache.
//     no-cache and no-store cancel it. The freshness of a failure says nothing
//     of when the API is well again and is ignored. So is s-maxage, which
//     speaks to caches that are purged when the resource changes (a poll is
//     not), and Expires, which by itself mostly says "don't cache": servers
//     that mean it send max-age too. The Date is not looked at, since clocks
//     differ; without an Age the answer is taken for a new one.
//   - X-Poll-Interval, in seconds, as GitHub's events API has it
//     (docs.github.com/en/rest/activity/events).
//   - Retry-After (RFC 9110, section 10.2.3), in seconds or as a date, of
//     anything but a success. With 403, 429 and 503 all requests wait, but a
//     minute at most: it may concern this one alone.
//   - RateLimit (draft-ietf-httpapi-ratelimit-headers-10, section 4), and what
//     drafts up to 07 had in its place, when no quota remains, for all
//     requests. Section 7 gives Retry-After precedence and lets
//     RateLimit-Policy be ignored.
//   - X-RateLimit-Remaining and -Reset, also spelt X-Rate-Limit-, when none
//     remain, whatever the status: the next request would be refused. It holds
//     for all requests (docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api).
//
// Quotas in an answer out of a cache, known by its Age, are out of date and
// ignored (section 7.3 of the draft).
func Advise(status int, h http.Header, now time.Time) Advice {
	var a Advice
	success := status/100 == 2
	age, _ := number(field(h, "Age"))
	interval, _ := number(field(h, "X-Poll-Interval"))

	a.consider(seconds(interval), "x-poll-interval", 0)
	if success || status == http.StatusNotModified {
		a.consider(seconds(maxAge(field(h, "Cache-Control"))-age), "max-age", 0)
	}
	var retry time.Duration
	if !success {
		retry = retryAfter(field(h, "Retry-After"), now)
		if limits(status) {
			a.consider(retry, "retry-after", maxPause)
		} else {
			a.consider(retry, "retry-after", 0)
		}
	}
	if age > 0 {
		return a
	}
	if retry <= 0 {
		a.consider(rateLimit(h, now), "ratelimit", MaxWait)
	}
	for _, prefix := range []string{"X-RateLimit-", "X-Rate-Limit-"} {
		a.consider(quotaOf(h, prefix).wait(now), "x-ratelimit", MaxWait)
	}
	return a
}

// maxPause is how long others are to wait at most because one request is
// told to retry later. That may concern this request alone; if it does not,
// the next one is told so, too.
const maxPause = time.Minute

// consider adds one rule's wait to a, which others are to keep to for up to
// most.
func (a *Advice) consider(wait time.Duration, why string, most time.Duration) {
	wait = min(wait, MaxWait)
	if wait <= 0 {
		return
	}
	pause := max(a.pause(), min(wait, most))
	if wait > a.Wait || wait == a.Wait && most > 0 {
		a.Wait, a.Why = wait, why
	}
	a.All, a.others = pause > 0, pause
}

// limits reports whether status is one by which an API turns away a client
// rather than a request: GitHub limits rates with 403, too.
func limits(status int) bool {
	return status == http.StatusForbidden ||
		status == http.StatusTooManyRequests ||
		status == http.StatusServiceUnavailable
}

// maxAge returns for how many seconds Cache-Control calls an answer fresh, or
// 0 if it doesn't. Of several the first holds, and one that is malformed is
// none (RFC 9111, section 4.2.1).
func maxAge(control string) int64 {
	var fresh int64
	seen := false
	for directive := range split(control, ',') {
		name, value := pair(directive)
		switch name {
		case "no-cache", "no-store":
			// no-cache="field" restricts that field alone, but may be taken
			// for the plain form (RFC 9111, section 5.2.2.4).
			return 0
		case "max-age":
			if !seen {
				fresh, _ = number(strings.Trim(value, `"`))
				seen = true
			}
		}
	}
	return fresh
}

func retryAfter(value string, now time.Time) time.Duration {
	if n, ok := number(value); ok {
		return seconds(n)
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return date.Sub(now)
}
