package poll

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
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
	call *pace.Caller // of this source, to the host

	// Used by the one Run whose turn it is.
	schedule *pace.Schedule
	held     time.Duration // how long the last request that counts for the pace took
	told     bool          // the supervisor knows that the host is down, or has to be waited for

	trace func(name, text string) // for explanations; nil: nobody wants to know

	mu     sync.Mutex
	report adapters.Report // guarded by mu
}

// another returns a poller that asks the same for itself, apart from p's pace.
func (p *poller) another() *poller {
	return &poller{
		factory:  p.factory,
		vars:     p.vars,
		env:      p.env,
		host:     p.host,
		call:     p.host.Caller(),
		schedule: pace.NewSchedule(p.options.Every, float64(p.options.Jitter), 0),
	}
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
	status     int    // of the last page
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
func (p *poller) wait(ctx context.Context) error { return sleep(ctx, p.planned()) }

// planned returns when the next poll is due, for those whose turn it is not.
func (p *poller) planned() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.report.Next
}

// sleep waits until it is a certain time.
func sleep(ctx context.Context, until time.Time) error {
	if wait := time.Until(until); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// ask asks now. If there is no error, the outcome of the last exchange is yet
// to be counted; see [poller.settle].
func (p *poller) ask(ctx context.Context, q question) (finding, error) {
	scope := newScope(p.vars)
	scope.cursor = q.cursor
	req, err := p.request(ctx, &scope)
	if err != nil {
		return finding{}, err
	}
	if p.code.heads {
		q.have = validators{} // the same body may come with other headers
	}
	a, err := p.exchange(ctx, req, q.have, !q.extra)
	if err != nil {
		return finding{}, err
	}
	found := finding{first: a, status: a.status, cursor: q.cursor}
	found.first.body = nil
	unchanged := a.status == http.StatusNotModified ||
		p.options.LongPoll && (a.status == http.StatusNoContent || a.status == http.StatusResetContent)
	if unchanged {
		found.same = true
		return found, nil
	}
	found.raw = a.fingerprint(p.options.Answer.Format)
	if p.simple() && found.raw == q.known {
		found.same, found.validators = true, a.validators()
		return found, nil
	}
	err = p.read(ctx, q, &found, a, &scope)
	return found, err
}

// simple reports whether equal bodies mean that nothing has changed.
func (p *poller) simple() bool {
	return p.code.cursor == nil && !p.options.paged() && !p.code.heads
}

// tolerable is for how long polls may be put off for the sake of another one
// without clients being told.
const tolerable = 10 * time.Second

// exchange makes one request, when the host has room for it, and notes what
// came of it. The first one of a poll is what paces the polls. Only if there
// is an error is the outcome counted.
func (p *poller) exchange(ctx context.Context, req *http.Request, have validators, first bool) (answer, error) {
	if until := p.host.Paused(); !p.told && time.Until(until) > tolerable {
		p.told = true
		return answer{}, adapters.Transient(errPaused.Error(), nil)
	}
	turn, err := p.call.Acquire(ctx, p.told || !first)
	switch {
	case errors.Is(err, pace.ErrDown):
		p.told = true
		return answer{}, adapters.Transient(errDown.Error(), nil)
	case err != nil:
		return answer{}, err
	}
	result, advice := pace.Abandoned, pace.Advice{}
	defer func() { turn.Done(result, advice) }()
	p.told = false
	if first {
		p.schedule.Sent(time.Now())
		p.plan()
	}
	p.show("request", req)
	connected, release := p.connected(req, turn)
	defer release()
	began := time.Now()
	a, err := p.fetch(connected.request, have)
	if first {
		p.held = time.Since(began)
	}
	if ctx.Err() != nil {
		return answer{}, ctx.Err()
	}
	result, advice = connected.result(a, err), pace.Advise(a.status, a.header, time.Now())
	if len(p.options.Forward) > 0 {
		advice.All = false // a quota is that of a principal
	}
	p.schedule.Wait(advice, time.Now())
	p.showAnswer(&a)
	if err != nil {
		p.count(outcome(a.status, err))
	}
	return a, err
}

// A connection is a request on its way, and whether it has reached the host.
type connection struct {
	request *http.Request
	reached atomic.Bool
}

// connected returns req with a bound on its time, and what sees how far it
// gets. release is called when it is over.
func (p *poller) connected(req *http.Request, turn *pace.Turn) (c *connection, release context.CancelFunc) {
	c = new(connection)
	ctx, release := context.WithTimeout(req.Context(), p.timeout())
	c.request = req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) {
			c.reached.Store(true)
			if p.options.LongPoll {
				turn.Hold()
			}
		},
	}))
	return c, release
}

// result says what a request says of the host. One that has reached it and
// had to wait for too long says that what it asked for takes long. A host that
// can't be reached, or hangs up, may be of no use to any other request.
func (c *connection) result(a answer, err error) pace.Result {
	var ours *adapters.UpstreamError // no token, or a file that can't be used
	switch {
	case a.status != 0, errors.Is(err, httpclient.ErrElsewhere), errors.Is(err, httpclient.ErrRedirects):
		return pace.Answered
	case c.reached.Load() && isTimeout(err), errors.As(err, &ours):
		return pace.Abandoned
	default:
		return pace.Unreachable
	}
}

// minHeld is how long a request without news was held at least by an API that
// does hold requests.
const minHeld = time.Second

// settle counts the last exchange of a poll, whose answer could be used unless
// err says otherwise, and sets the pace by whether there was news in it.
func (p *poller) settle(q question, found *finding, news bool, err error) {
	p.count(outcome(found.status, err))
	if err != nil || q.extra {
		return
	}
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
	p.env.Log.Debug().Int("status", found.status).Bool("news", news).Time("next", due).Str("why", why).Msg("polled")
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
	if until := p.host.Paused(); until.After(r.Next) {
		r.Next, r.Why = until, "host paused"
	}
	return r
}
