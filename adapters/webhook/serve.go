package webhook

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"sidestream/adapters"
)

// ServeIngest implements [adapters.Ingester].
func (f *factory) ServeIngest(w http.ResponseWriter, r *http.Request, receive adapters.ReceiveFunc) {
	ended := f.limit(w)
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff") // an answer may hold what the sender chose
	switch {
	case !slices.Contains(f.methods, r.Method):
		refuse(http.StatusMethodNotAllowed, "the method has to be %s", f.allow()).
			with("Allow", f.allow()).write(r.Context(), w)
		return
	case r.Method == http.MethodOptions:
		f.shakeHands(w, r)
		return
	}
	answer, kind, err := f.serve(w, r, ended, receive)
	switch {
	case err != nil:
		var refused *refusal
		if !errors.As(err, &refused) {
			refused = unavailable("the request can't be taken now", err)
		}
		refused.write(r.Context(), w)
	case answer != nil:
		if kind != "" {
			h.Set("Content-Type", kind)
		}
		_, _ = w.Write(answer) // nobody is there to tell of an error
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// allow is the value of the header Allow.
func (f *factory) allow() string { return strings.Join(f.methods, ", ") }

// serve takes a request. answer, if not nil, is what its sender wants to hear,
// of the given content type; an error is a [refusal]. ended is called once the
// body is read.
func (f *factory) serve(w http.ResponseWriter, r *http.Request, ended func(), receive adapters.ReceiveFunc) (answer []byte, kind string, err error) {
	content, err := f.contentOf(r.Header)
	if err != nil {
		return nil, "", err
	}
	if err := f.verifier.Admit(r); err != nil {
		return nil, "", unverified(err)
	}
	held := f.budget.hold()
	defer held.release()
	raw, err := f.read(w, r, held)
	if err != nil {
		return nil, "", err
	}
	ended()
	// What is signed are the bytes that were sent.
	if err := f.verifier.Verify(r, raw); err != nil {
		return nil, "", unverified(err)
	}
	body, err := f.decompress(raw, content, held)
	if err != nil {
		return nil, "", err
	}
	facts := f.verifier.Facts(r, body)
	if facts.Answer != nil {
		return facts.Answer, facts.AnswerType, nil
	}
	events, err := f.events(r, content, body, facts)
	if err != nil {
		return nil, "", err
	}
	if err := f.deliver(r, events, receive); err != nil {
		return nil, "", undelivered(err)
	}
	return nil, "", nil
}

// deliver passes on those of events that weren't delivered before.
func (f *factory) deliver(r *http.Request, events []adapters.Event, receive adapters.ReceiveFunc) error {
	ctx, cancel := context.WithTimeout(r.Context(), time.Duration(f.options.AcceptTimeout))
	defer cancel()
	vars := make(adapters.Vars, len(f.vars))
	scope := make([]string, len(f.vars))
	for i, name := range f.vars {
		scope[i] = r.PathValue(name)
		vars[name] = scope[i]
	}
	if len(events) == 0 { // a batch of none
		return nil
	}
	return f.seen.once(ctx, scope, events, func(fresh []adapters.Event) error { return receive(ctx, vars, fresh) })
}
