package history

import (
	"context"
	"time"

	"sidestream/adapters"
)

// Seek implements [adapters.Seeker], by when events were stored.
func (s *source) Seek(ctx context.Context, t time.Time) (adapters.Position, error) {
	h, err := s.factory.home() //nolint:contextcheck // what routes share outlasts one client
	if err != nil {
		return "", err
	}
	session, err := h.session(ctx)
	if err != nil {
		return "", err
	}
	if _, err := h.ensure(ctx, session, s.factory, false); err != nil {
		return "", err
	}
	reader := h.client.Reader(s.factory.stream, []string{s.subject}, s.env)
	at, err := reader.(adapters.Seeker).Seek(ctx, t)
	return s.form.with(at), passing(err)
}
