package pace

import (
	"net/http"
	"time"
)

// A quota is what an API says is left of the requests that it allows, and
// when there will be more, both as they came.
type quota struct{ remaining, reset string }

// quotaOf returns the quota told by two fields whose names start with prefix.
func quotaOf(h http.Header, prefix string) quota {
	return quota{field(h, prefix+"Remaining"), field(h, prefix+"Reset")}
}

// wait returns how long there are none left, or 0 if there are some or it
// isn't known.
func (q quota) wait(now time.Time) time.Duration {
	if n, ok := number(q.remaining); !ok || n != 0 {
		return 0
	}
	return untilReset(q.reset, now)
}

// The smallest numbers that are taken for a time since 1970, in seconds and
// in milliseconds, and the smallest that are neither: 1985, and fifteen years
// if it were a delay.
const (
	leastEpoch  = 5e8
	leastMillis = 5e11
	leastAbsurd = 5e14
)

// untilReset returns the time from now until a quota is reset. The drafts of
// the IETF have a delay in seconds there, GitHub the time in seconds since
// 1970, others that in milliseconds; they are told apart by their size.
func untilReset(value string, now time.Time) time.Duration {
	n, ok := number(value)
	switch {
	case !ok || n >= leastAbsurd:
		return 0
	case n >= leastMillis:
		return time.UnixMilli(n).Sub(now)
	case n >= leastEpoch:
		return time.Unix(n, 0).Sub(now)
	default:
		return seconds(n)
	}
}

// rateLimit returns how long a quota told by the IETF's fields is exhausted:
// the longest, if there are several. The forms are
//
//	RateLimit: "burst";r=0;t=30, "daily";r=100    (drafts 08 to 10)
//	RateLimit: limit=10, remaining=0, reset=7     (draft 07)
//	RateLimit-Remaining: 0 and RateLimit-Reset: 7 (drafts up to 06)
func rateLimit(h http.Header, now time.Time) time.Duration {
	wait := quotaOf(h, "RateLimit-").wait(now)
	var whole quota
	for member := range split(field(h, "RateLimit"), ',') {
		var policy quota
		for part := range split(member, ';') {
			switch name, value := pair(part); name {
			case "r":
				policy.remaining = value
			case "t":
				policy.reset = value
			case "remaining":
				whole.remaining = value
			case "reset":
				whole.reset = value
			}
		}
		wait = max(wait, policy.wait(now))
	}
	return max(wait, whole.wait(now))
}
