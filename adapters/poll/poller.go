package poll

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/httpclient"
	"sidestream/adapters/poll/pace"
)

// A poller asks an upstream on behalf of one source: when it is due, and not
// more than that.
type poller struct {
	*factory
	vars adapters.Vars
	env  adapters.Env
	host *pace.Host

	// Used by the one Run whose turn it is.
	schedule *pace.Schedule
	held     time.Duration // how long the last request that counts for the pace took
	told     bool // the supervisor knows that the host is down

	trace func(name, text string) // for explanations; nil: nobody wants to know

	mu     sync.Mutex
	report adapters.Report // guarded by mu
}

// A question is what a poll asks, and what is known from earlier ones.
type question struct {
	cursor string
	have   validators  // of the state that is known, if they hold for all of it
	known  fingerprint // of the answer that led to that state

	extra  bool                                          // it doesn't count for the pace
	enough func(context.Context, *finding) (bool, error) // whether no further page is needed; nil: no
}

// A finding is what a poll has found.
type finding struct {
	same       bool // as the question knew it
	nothing    bool // that would say anything
	doc        document
	cursor     string // the next one
	more       bool   // there were more pages than a poll may ask for
	validators validators
	raw        fingerprint
	first      answer // of the first page; its body is gone
}

// poll waits until a poll is due and asks.
func (p *poller) poll(ctx context.Context, q question) (finding, error) {
	if err := p.wait(ctx); err != nil {
		return finding{}, err
	}
	return p.ask(ctx, q)
}

// isDue reports whether a poll is due.
func (p *poller) isDue() bool {
	due, _ := p.schedule.Due()
	return !time.Now().Before(due)
}

// wait waits until a poll is due.
func (p *poller) wait(ctx context.Context) error {
	p.mu.Lock()
	due := p.report.Next
	p.mu.Unlock()
	if wait := time.Until(due); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// ask asks now.
func (p *poller) ask(ctx context.Context, q question) (finding, error) {
	scope := newScope(p.vars)
	scope.cursor = q.cursor
	req, err := p.request(ctx, &scope)
	if err != nil {
		return finding{}, err
	}
	a, err := p.exchange(ctx, req, q.have, !q.extra)
	if err != nil {
		return finding{}, err
	}
	found := finding{first: a, cursor: q.cursor}
	found.first.body = nil
	unchanged := a.status == http.StatusNotModified ||
		p.options.LongPoll && (a.status == http.StatusNoContent || a.status == http.StatusResetContent)
	if unchanged {
		found.same = true
		p.count(outcome(a.status, nil))
		return found, nil
	}
	found.raw = a.fingerprint(p.options.Answer.Format)
	if p.simple() && found.raw == q.known {
		found.same, found.validators = true, a.validators()
		p.count(outcome(a.status, nil))
		return found, nil
	}
	if err := p.read(ctx, q, &found, a, &scope); err != nil {
		return finding{}, err
	}
	return found, nil
}

// simple reports whether equal bodies mean that nothing has changed.
func (p *poller) simple() bool { return p.code.cursor == nil && !p.options.paged() }

// minHeld is how long a request without news was held at least by an API that
// does hold requests.
const minHeld = time.Second

// learned sets the pace by whether a poll brought news.
func (p *poller) learned(news bool) {
	if news {
		p.schedule.Changed()
	} else {
		p.schedule.Unchanged()
	}
	if p.options.LongPoll && (news || p.held >= minHeld) {
		p.schedule.Soon()
	}
	p.plan()
	due, why := p.schedule.Due()
	p.env.Log.Debug().Str("result", p.Report().Last).Bool("news", news).Time("next", due).Str("why", why).Msg("polled")
}

// exchange makes one request, when the host has room for it, and notes what
// came of it. The first one of a poll is what paces the polls.
func (p *poller) exchange(ctx context.Context, req *http.Request, have validators, first bool) (answer, error) {
	turn, err := p.host.Acquire(ctx, p.told || !first)
	switch {
	case errors.Is(err, pace.ErrDown):
		p.told = true
		return answer{}, adapters.Transient(errDown.Error(), nil)
	case err != nil:
		return answer{}, err
	}
	p.told = false
	p.show("request", req)
	if first {
		p.schedule.Sent(time.Now())
	}
	timed, cancel := context.WithTimeout(ctx, p.timeout())
	defer cancel()
	began := time.Now()
	a, err := p.fetch(req.WithContext(timed), have)
	if first {
		p.held = time.Since(began)
	}

	result, advice := pace.Answered, pace.Advise(a.status, a.header, time.Now())
	var ours *adapters.UpstreamError // no token, or a file that can't be used
	switch {
	case ctx.Err() != nil, errors.As(err, &ours):
		result = pace.Abandoned
	case a.status == 0 && !errors.Is(err, httpclient.ErrElsewhere) && !errors.Is(err, httpclient.ErrRedirects):
		result = pace.Unreachable
	}
	if len(p.options.Forward) > 0 {
		advice.All = false // a quota is that of a principal
	}
	turn.Done(result, advice)
	if ctx.Err() != nil {
		return answer{}, ctx.Err()
	}
	p.schedule.Wait(advice, time.Now())
	p.showAnswer(&a)
	if err != nil {
		p.count(outcome(a.status, err))
	}
	return a, err
}

// count counts the outcome of an exchange.
func (p *poller) count(outcome string) {
	p.env.Count(outcome)
	p.mu.Lock()
	p.report.Last, p.report.At = outcome, time.Now()
	p.mu.Unlock()
	p.plan()
}

// plan notes when the next poll is due, and why then.
func (p *poller) plan() {
	due, why := p.schedule.Due()
	p.mu.Lock()
	p.report.Next, p.report.Why = due, why
	p.mu.Unlock()
}

// Report implements [adapters.Reporter].
func (p *poller) Report() adapters.Report {
	p.mu.Lock()
	r := p.report
	p.mu.Unlock()
	if since, down := p.host.Down(); down && since.After(r.At) {
		r.Why = "host down"
	}
	return r
}
