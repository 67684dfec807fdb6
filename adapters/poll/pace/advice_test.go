package pace

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// noon is when the answers of these tests come.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// header parses lines of "Name: value".
func header(lines string) http.Header {
	h := http.Header{}
	for line := range strings.SplitSeq(lines, "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
	return h
}

func TestAdvise(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		name   string
		status int
		header string
		wait   time.Duration
		why    string
		all    bool
	}{
		{"nothing", 200, "", 0, "", false},

		{"max-age", 200, "Cache-Control: max-age=60", 60 * s, "max-age", false},
		{"max-age of a 304", 304, "Cache-Control: public, Max-Age=60", 60 * s, "max-age", false},
		{"max-age less age", 200, "Cache-Control: max-age=60\nAge: 45", 15 * s, "max-age", false},
		{"a long max-age less age", 200, "Cache-Control: max-age=7200\nAge: 5400", 1800 * s, "max-age", false},
		{"older than max-age", 200, "Cache-Control: max-age=60\nAge: 61", 0, "", false},
		{"malformed age", 200, "Cache-Control: max-age=60\nAge: old", 60 * s, "max-age", false},
		{"hostile age", 200, "Cache-Control: max-age=60\nAge: 99999999999999999999", 0, "", false},
		{"quoted", 200, `Cache-Control: max-age="60"`, 60 * s, "max-age", false},
		{"spaces, empty directives", 200, "Cache-Control: , ,max-age = 60 ,", 60 * s, "max-age", false},
		{"must-revalidate", 200, "Cache-Control: max-age=60, must-revalidate", 60 * s, "max-age", false},
		{"no-cache", 200, "Cache-Control: max-age=60, no-cache", 0, "", false},
		{"no-cache of a field", 200, `Cache-Control: no-cache="set-cookie, x", max-age=60`, 0, "", false},
		{"no-store on a line of its own", 200, "Cache-Control: max-age=60\nCache-Control: no-store", 0, "", false},
		{"first of two", 200, "Cache-Control: max-age=5, max-age=60", 5 * s, "max-age", false},
		{"a malformed first of two", 200, "Cache-Control: max-age=x, max-age=60", 0, "", false},
		{"s-maxage", 200, "Cache-Control: s-maxage=60", 0, "", false},
		{"expires", 200, "Expires: Sun, 01 Mar 2026 12:01:00 GMT", 0, "", false},
		{"within a quoted string", 200, `Cache-Control: ext="a, max-age=60 \", max-age=60"`, 0, "", false},
		{"open quotes", 200, `Cache-Control: ext="a, max-age=60`, 0, "", false},
		{"negative", 200, "Cache-Control: max-age=-60", 0, "", false},
		{"no value", 200, "Cache-Control: max-age", 0, "", false},
		{"a year", 200, "Cache-Control: max-age=31536000", MaxWait, "max-age", false},
		{"overflow", 200, "Cache-Control: max-age=99999999999999999999", MaxWait, "max-age", false},
		{"of a failure", 500, "Cache-Control: max-age=60", 0, "", false},

		{"poll interval", 200, "X-Poll-Interval: 60", 60 * s, "x-poll-interval", false},
		{"poll interval of a 304", 304, "X-Poll-Interval: 60", 60 * s, "x-poll-interval", false},
		{"the larger", 200, "X-Poll-Interval: 60\nCache-Control: max-age=90", 90 * s, "max-age", false},
		{"poll interval, hostile", 200, "X-Poll-Interval: 1e9", 0, "", false},

		{"retry-after of 429", 429, "Retry-After: 30", 30 * s, "retry-after", true},
		{"retry-after of 503", 503, "Retry-After: 30", 30 * s, "retry-after", true},
		{"retry-after of 403", 403, "Retry-After: 30", 30 * s, "retry-after", true},
		{"retry-after of 302", 302, "Retry-After: 30", 30 * s, "retry-after", false},
		{"retry-after of 500", 500, "Retry-After: 30", 30 * s, "retry-after", false},
		{"retry-after of 202", 202, "Retry-After: 30", 0, "", false},
		{"a date", 503, "Retry-After: Sun, 01 Mar 2026 12:00:30 GMT", 30 * s, "retry-after", true},
		{"an obsolete date", 503, "Retry-After: Sunday, 01-Mar-26 12:00:30 GMT", 30 * s, "retry-after", true},
		{"a past date", 503, "Retry-After: Sun, 01 Mar 2026 11:00:30 GMT", 0, "", false},
		{"a far date", 503, "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT", MaxWait, "retry-after", true},
		{"a fraction", 429, "Retry-After: 0.65", 1 * s, "retry-after", true},
		{"the largest number and more", 429, "Retry-After: 9223372036854775807.5", MaxWait, "retry-after", true},
		{"two values", 429, "Retry-After: 3\nRetry-After: 4", 0, "", false},
		{"negative retry-after", 429, "Retry-After: -1", 0, "", false},

		{"exhausted", 200, `RateLimit: "default";r=0;t=30`, 30 * s, "ratelimit", true},
		{"a token for a name", 200, `RateLimit: default; r=0; t=30`, 30 * s, "ratelimit", true},
		{"some remain", 200, `RateLimit: "default";r=1;t=30`, 0, "", false},
		{"no reset", 200, `RateLimit: "default";r=0`, 0, "", false},
		{"several policies", 200, "RateLimit: \"a\";r=0;t=5, \"b\";r=9;t=90\nRateLimit: \"c\";r=0;t=7", 7 * s, "ratelimit", true},
		{"separators in a name", 200, `RateLimit: "a;r=0;t=9,\"";r=0;t=5`, 5 * s, "ratelimit", true},
		{"a policy alone", 200, `RateLimit-Policy: "default";q=0;w=60`, 0, "", false},
		{"draft 07", 200, "RateLimit: limit=10, remaining=0, reset=7", 7 * s, "ratelimit", true},
		{"draft 07, some remain", 200, "RateLimit: limit=10, remaining=5, reset=7", 0, "", false},
		{"draft 06", 200, "RateLimit-Limit: 10, 10;w=60\nRateLimit-Remaining: 0\nRateLimit-Reset: 7", 7 * s, "ratelimit", true},
		{"retry-after takes precedence", 429, "Retry-After: 5\nRateLimit: \"a\";r=0;t=30", 5 * s, "retry-after", true},
		{"out of a cache", 200, "Age: 1\nRateLimit: \"a\";r=0;t=30\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 30", 0, "", false},
		{"malformed", 200, `RateLimit: ;;=,"`, 0, "", false},

		{"GitHub", 403, "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1772366430", 30 * s, "x-ratelimit", true},
		{"GitHub, last of a success", 200, "x-ratelimit-remaining: 0\nx-ratelimit-reset: 1772366430", 30 * s, "x-ratelimit", true},
		{"GitHub, some remain", 403, "X-RateLimit-Remaining: 1\nX-RateLimit-Reset: 1772366430", 0, "", false},
		{"past", 403, "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1772366399", 0, "", false},
		{"milliseconds", 429, "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1772366430500", 30*s + s/2, "x-ratelimit", true},
		{"nanoseconds", 429, "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1772366430000000000", 0, "", false},
		{"a delay", 429, "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 30", 30 * s, "x-ratelimit", true},
		{"decimals", 429, "X-RateLimit-Remaining: 0.0\nX-RateLimit-Reset: 29.5", 30 * s, "x-ratelimit", true},
		{"a hyphen more", 429, "X-Rate-Limit-Remaining: 0\nX-Rate-Limit-Reset: 1772366430", 30 * s, "x-ratelimit", true},
		{"a far reset", 429, "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 99999999999", MaxWait, "x-ratelimit", true},
		{"the larger of two limits", 403, "Retry-After: 10\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 30", 30 * s, "x-ratelimit", true},
		{"equal", 200, "Cache-Control: max-age=30\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 30", 30 * s, "x-ratelimit", true},

		{"a huge field", 200, "Cache-Control: max-age=60," + strings.Repeat(" ", 1<<20) + "x", 0, "", false},
		{"many lines", 200, "Cache-Control: max-age=60" + strings.Repeat("\nCache-Control: x", 1<<12), 0, "", false},
		{"no status", 0, "Cache-Control: max-age=60", 0, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Advise(tt.status, header(tt.header), noon)
			if got.Wait != tt.wait || got.Why != tt.why || got.All != tt.all {
				t.Errorf("got %v %q %v, want %v %q %v", got.Wait, got.Why, got.All, tt.wait, tt.why, tt.all)
			}
		})
	}
}

// TestAdvisePause: a longer wait for the resource doesn't hide that all requests
// are to wait, nor is it asked of them; a caller that knows better clears All.
func TestAdvisePause(t *testing.T) {
	const limited = "\nRateLimit: \"a\";r=0;t=30"
	for _, tt := range []struct {
		header      string
		wait, pause time.Duration
	}{
		{"Cache-Control: max-age=60", time.Minute, 0},
		{"Cache-Control: max-age=60" + limited, time.Minute, 30 * time.Second},
		{"Cache-Control: max-age=20" + limited, 30 * time.Second, 30 * time.Second},
		{limited + "\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 10", 30 * time.Second, 30 * time.Second},
		{"Cache-Control: max-age=60" + limited + "\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 90", 90 * time.Second, 90 * time.Second},
	} {
		a := Advise(http.StatusOK, header(tt.header), noon)
		if a.Wait != tt.wait || a.pause() != tt.pause || a.All != (tt.pause > 0) {
			t.Errorf("%q: got %v, pause %v, all %v, want %v, %v", tt.header, a.Wait, a.pause(), a.All, tt.wait, tt.pause)
		}
		a.All = false
		if got := a.pause(); got != 0 {
			t.Errorf("%q, without All: got pause %v, want none", tt.header, got)
		}
	}
}

func FuzzAdvise(f *testing.F) {
	f.Add(200, `no-cache="a\", b", max-age="6"`, "3", "Sun, 01 Mar 2026 12:00:30 GMT", `"a";r=0;t=3`, "0", "1772366430")
	f.Add(429, "max-age=99999999999999999999", "-1", "9.9", "limit=1, remaining=0, reset=7", "0.0", "1772366430500")
	f.Fuzz(func(t *testing.T, status int, control, age, retry, limit, remaining, reset string) {
		h := http.Header{}
		for name, value := range map[string]string{
			"Cache-Control": control, "Age": age, "Retry-After": retry, "X-Poll-Interval": age,
			"RateLimit": limit, "RateLimit-Remaining": remaining, "RateLimit-Reset": reset,
			"X-RateLimit-Remaining": remaining, "X-RateLimit-Reset": reset,
		} {
			h.Set(name, value)
		}
		a := Advise(status, h, noon)
		if a.Wait < 0 || a.Wait > MaxWait || a.pause() < 0 || a.pause() > a.Wait {
			t.Errorf("got wait %v, pause %v, want 0 <= pause <= wait <= %v", a.Wait, a.pause(), MaxWait)
		}
		if (a.Wait == 0) != (a.Why == "") || a.All != (a.pause() > 0) {
			t.Errorf("got %+v, which contradicts itself", a)
		}
	})
}
