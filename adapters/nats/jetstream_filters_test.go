package nats

import (
	"testing"

	"sidestream/adapters"
)

// With several filters a server passes over messages of one on its way to the
// first of another when it looks for a time.
func TestStreamSeekWithFilters(t *testing.T) {
	srv := startServer(t)
	js := srv.JetStream(t)
	stream := orders(t, js)
	store(t, js, "orders.b", "orders.b", "orders.b", "orders.a", "orders.x", "orders.a")
	second, err := stream.GetMsg(t.Context(), 2)
	try(t, err)
	for _, tt := range []struct {
		filters []string
		want    int // events of that time and later
	}{
		{[]string{"orders.a", "orders.b"}, 4},
		{[]string{"orders.b", "orders.a"}, 4},
		{[]string{"orders.b"}, 2},
		{nil, 5},
	} {
		s := streamOn(t, srv.URL(), func(o *Options) { o.Subject = tt.filters })
		pos, err := s.Source.(adapters.Seeker).Seek(t.Context(), second.Time)
		if at, ok := parsePlace(pos); err != nil || !ok || at.seq != 1 {
			t.Errorf("seek with filters %q: got %q, error %v; want the place after 1", tt.filters, pos, err)
		}
		s = streamOn(t, srv.URL(), func(o *Options) { o.Subject, o.Start = tt.filters, Start{Time: second.Time} })
		r := start(t, s, "", nil)
		r.stopLive()
		if got := len(r.events()); got != tt.want {
			t.Errorf("start at a time with filters %q: got %d events, want %d", tt.filters, got, tt.want)
		}
	}
}
