package proxy

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"sidestream/adapters"
)

// sinceParam is the request parameter by which a client that comes for the
// first time says from when on it wants events, where a route allows it.
const sinceParam = "since"

// seekTime bounds how long a source may take to find the place of a time.
// Nothing is written to the client meanwhile.
const seekTime = 5 * time.Second

// origin is where a client is to begin.
type origin struct {
	id    string    // after the event with this id
	since time.Time // or, if id is empty, at this time; zero: where new clients do
}

// origin reads where a request wants to begin.
func (r *Route) origin(req *http.Request, query url.Values) (origin, *badRequest) {
	o := origin{id: lastEventID(req.Header, query)}
	values := query[sinceParam]
	if !r.Since || len(values) == 0 {
		return o, nil
	}
	var err error
	if o.since, err = parseSince(values[0]); err != nil || len(values) > 1 {
		return o, &badRequest{http.StatusBadRequest, "the query parameter since can't be used: one value, a time as in RFC 3339 (2026-01-02T15:04:05Z) or milliseconds since 1970", nil}
	}
	return o, nil
}

// parseSince reads a time as in RFC 3339, or milliseconds since 1970. In a
// query a "+" that isn't escaped is a space, and no other space can be meant.
func parseSince(text string) (time.Time, error) {
	if ms, err := strconv.ParseUint(text, 10, 62); err == nil {
		t := time.UnixMilli(int64(ms))
		if !t.Before(lastTime) {
			return time.Time{}, errRange
		}
		return t, nil
	}
	if i := len(text) - len(" 00:00"); i > 0 && text[i] == ' ' {
		text = text[:i] + "+" + text[i+1:]
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	switch {
	case err != nil:
		return time.Time{}, fmt.Errorf("parse time: %w", err)
	case t.Before(time.Unix(0, 0)), !t.Before(lastTime):
		return time.Time{}, errRange
	}
	return t, nil
}

// lastTime is after the times that can be asked for, and errRange the error
// of one that can't: upstreams count nanoseconds since 1970 in 63 bits.
var (
	lastTime = time.Unix(math.MaxInt64/int64(time.Second), 0)
	errRange = errors.New("out of range")
)

// seek finds the place of the time that the client wants to begin at, or says
// why it has to leave.
func (c *client) seek(ctx context.Context) departure {
	catchups := &c.endpoint.server.catchups
	if !catchups.take() {
		return leftNoRoom
	}
	defer catchups.give()
	asking, cancel := context.WithTimeout(ctx, seekTime)
	defer cancel()
	at, err := c.source.(adapters.Seeker).Seek(asking, c.since)
	switch {
	case ctx.Err() != nil:
		return leftGone
	case err != nil:
		c.log.Warn().Err(err).Msg("the place of a time can't be found")
		return leftReplay
	}
	c.requested, c.id = string(at), string(at)
	return ""
}
