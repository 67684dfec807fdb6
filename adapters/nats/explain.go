package nats

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/secret"
	"sidestream/adapters/tlsfiles"
)

// maxSample is how many events an explanation shows.
const maxSample = 20

// Explain implements [adapters.Explainer].
func (s *coreSource) Explain(ctx context.Context, run bool) (adapters.Explanation, error) {
	text := "core: " + strings.Join(s.subjects, ", ")
	if queue := s.options.Queue; queue != "" {
		text += "\nin the queue group " + queue + ", of which one member gets each message"
	}
	p := s.options.Pending
	text += fmt.Sprintf("\n%d messages or %s may wait; what is more is dropped and announced", p.Messages, p.Bytes)
	text += "\nmessages are not kept: what is published while nobody listens, or while there is no connection, is missed"
	return explain(ctx, run, s, &s.way, adapters.Step{Name: "subscribe", Text: text}, nil)
}

// Explain implements [adapters.Explainer].
func (s *streamSource) Explain(ctx context.Context, run bool) (adapters.Explanation, error) {
	text := "stream " + s.stream
	if len(s.filters) > 0 {
		text += ": " + strings.Join(s.filters, ", ")
	}
	start := s.factory.options.Start
	text += "\na client without a position starts at: " + start.String()
	switch {
	case start.Sequence != 0:
		text += fmt.Sprintf(" %d", start.Sequence)
	case !start.Time.IsZero():
		text += " " + start.Time.Format(time.RFC3339Nano)
	}
	return explain(ctx, run, s, &s.way, s.reading(text), s.state)
}

// Explain implements [adapters.Explainer].
func (s *bucketSource) Explain(ctx context.Context, run bool) (adapters.Explanation, error) {
	o := s.factory.options
	text := "bucket " + s.bucket + ": " + strings.Join(s.keys, ", ") + "\na client without a position starts with "
	switch {
	case o.UpdatesOnly:
		text += "the next change"
	case o.History:
		text += "all revisions of each key"
	default:
		text += "the newest revision of each key"
	}
	if o.IgnoreDeletes {
		text += "\ndeletions are left out"
	}
	return explain(ctx, run, s, &s.way, s.reading(text), s.state)
}

// reading completes the step that says what is read of JetStream.
func (u *upstream) reading(text string) adapters.Step {
	o := u.factory.options
	switch {
	case o.APIPrefix != "":
		text += "\nby the API at " + o.APIPrefix
	case o.Domain != "":
		text += "\nin the domain " + o.Domain
	}
	text += fmt.Sprintf("\n%d messages or %s are asked for ahead", o.Prefetch.Messages, o.Prefetch.Bytes)
	return adapters.Step{Name: "read", Text: text}
}

// state asks for the state of the stream.
func (u *upstream) state(ctx context.Context) (step adapters.Step, err error) {
	err = u.session(ctx, func(ctx context.Context, s *session) error {
		st, err := s.look(ctx)
		if err != nil {
			return err
		}
		lines := []string{fmt.Sprintf("%d messages, sequences %d to %d", st.messages, st.first, st.last)}
		if st.messages == 0 {
			lines[0] = fmt.Sprintf("no messages; the last sequence was %d", st.last)
		}
		if len(st.config.Subjects) > 0 {
			lines = append(lines, "subjects: "+strings.Join(st.config.Subjects, ", "))
		}
		step = adapters.Step{Name: "state", Text: strings.Join(lines, "\n")}
		return nil
	})
	return step, err
}

// explain shows how a source reaches its server and, by the step read, what it
// reads there. If run is set, it does so: it shows who answers, the state that
// state returns (nil: there is none), and what a new client would get.
func explain(ctx context.Context, run bool, s adapters.Source, w *way, read adapters.Step, state func(context.Context) (adapters.Step, error)) (adapters.Explanation, error) {
	x := adapters.Explanation{Steps: []adapters.Step{{Name: "connection", Text: w.factory.options.Connection.describe()}, read}}
	if !run {
		return x, nil
	}
	c, err := w.conn(ctx)
	if err != nil {
		return x, err
	}
	x.Steps = append(x.Steps, adapters.Step{Name: "server", Text: c.describe()})
	if state != nil {
		step, err := state(ctx)
		if err != nil {
			return x, err
		}
		x.Steps = append(x.Steps, step)
	}
	x.Events, err = adapters.Sample(ctx, s, maxSample)
	return x, err
}

// describe shows the options, secrets masked.
func (o *Connection) describe() string {
	var lines []string
	for _, u := range o.URLs {
		lines = append(lines, u.String())
	}
	if auth := o.Auth.describe(); auth != "" {
		lines = append(lines, auth)
	}
	if text := o.describeTLS(); text != "" {
		lines = append(lines, text)
	}
	lines = append(lines, fmt.Sprintf("shared, as %q, by all routes with these options", o.Name))
	lost := time.Duration(o.PingInterval) * (maxPings + 1)
	lines = append(lines, fmt.Sprintf("given up when nothing answers for %s, and made again after %s to %s", lost, o.Reconnect.Min, o.Reconnect.Max))
	return strings.Join(lines, "\n")
}

// describeTLS shows what differs from the default.
func (o *Connection) describeTLS() string {
	if o.TLS == tlsfiles.Defaults() && !o.TLSFirst {
		return ""
	}
	text := o.TLS.Describe()
	if o.TLSFirst {
		text += ", handshake first"
	}
	return text
}

// describe shows the kind of credentials, masked, or nothing if there are none.
func (a *Auth) describe() string {
	switch {
	case a.Creds != "":
		return "credentials from " + a.Creds
	case a.NKey != "":
		return "NKey from " + a.NKey
	case !a.JWT.IsZero():
		return "JWT " + a.JWT.String() + " and seed " + a.Seed.String()
	case !a.Token.IsZero():
		return "token " + a.Token.String()
	case !a.User.IsZero():
		return "user " + a.User.String() + " and password " + secret.Mask
	default:
		return ""
	}
}

// describe says who is at the other end.
func (c *connection) describe() string {
	text := fmt.Sprintf("%s, version %s, at %s", c.ConnectedServerName(), c.ConnectedServerVersion(), c.ConnectedAddr())
	if state, err := c.TLSConnectionState(); err == nil {
		text += ", " + tls.VersionName(state.Version)
	}
	if on, _ := c.ConnectedServerJetStream(); on {
		text += ", with JetStream"
	}
	return text
}
