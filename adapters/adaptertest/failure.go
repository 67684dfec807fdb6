package adaptertest

import (
	"context"
	"errors"
	"strings"
	"unicode"

	"sidestream/adapters"
)

// checkFailure: a failure that may pass ends Run with an error that says
// so, whether it was running or starts then.
func checkFailure(t *trial) {
	src := t.open()
	s := t.run(src, "", nil)
	t.awaitLive(s)
	t.do("fail", t.Fail)
	t.isTransient(t.awaitReturn(s, patience, "the upstream failed"))
	s = t.run(src, "", nil)
	t.isTransient(t.awaitReturn(s, patience, "it was started on an upstream that fails"))
}

func (t *trial) isTransient(err error) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("the upstream failed: got no error, want one, since nil is for the end")
	case adapters.IsPermanent(err):
		t.Errorf("the upstream failed: got the permanent error %v, want a transient one", err)
	case errors.Is(err, adapters.ErrPositionLost), errors.Is(err, context.Canceled):
		t.Errorf("the upstream failed: got error %v, want one that says so", err)
	}
}

// checkRecovery: the same source goes on when the failure has passed.
func checkRecovery(t *trial) {
	src := t.open()
	s := t.run(src, "", nil)
	t.awaitLive(s)
	t.publishInTurn(s, 1, few)
	t.do("fail", t.Fail)
	_ = t.awaitReturn(s, patience, "the upstream failed")
	got, _ := s.emitted()
	var after adapters.Position
	for _, r := range events(got) {
		if t.resumes() && r.number == few {
			after = r.Position
		}
	}
	t.do("recover", t.Recover)
	s = t.run(src, after, nil)
	t.awaitLive(s)
	t.publish(few+1, 2*few)
	t.expect(s, few+1, 2*few)
}

// checkReason: what clients are told of a failure is a short phrase that
// gives nothing away.
func checkReason(t *trial) {
	if t.Fail != nil {
		t.reasons(t.Fail)
		t.do("recover", t.Recover)
	}
	if t.Break != nil {
		t.reasons(t.Break)
	}
}

// reasons checks the reasons that a source gives when fail is called, while
// it runs and before.
func (t *trial) reasons(fail func(context.Context) error) {
	t.Helper()
	src := t.open()
	s := t.run(src, "", nil)
	t.awaitLive(s)
	t.do("fail", fail)
	t.isSafe(t.awaitReturn(s, patience, "the upstream failed"))
	s = t.run(src, "", nil)
	t.isSafe(t.awaitReturn(s, patience, "it was started on an upstream that fails"))
}

func (t *trial) isSafe(err error) {
	t.Helper()
	const longest = 200 // bytes: a phrase, not a report
	reason := adapters.Reason(err)
	if len(reason) > longest || strings.ContainsFunc(reason, unicode.IsControl) {
		t.Errorf("got reason %q, want a line of at most %d bytes", reason, longest)
	}
	for _, private := range t.Private {
		if strings.Contains(reason, private) {
			t.Errorf("got reason %q for clients, want it without %q", reason, private)
		}
	}
}

// checkPermanent: a failure that somebody has to mend is marked so, whether
// Run was running or starts then.
func checkPermanent(t *trial) {
	src := t.open()
	s := t.run(src, "", nil)
	t.awaitLive(s)
	t.do("break", t.Break)
	t.isPermanent(t.awaitReturn(s, patience, "the upstream broke"))
	s = t.run(src, "", nil)
	t.isPermanent(t.awaitReturn(s, patience, "it was started on an upstream that is broken"))
}

func (t *trial) isPermanent(err error) {
	t.Helper()
	if !adapters.IsPermanent(err) {
		t.Errorf("the upstream broke: got error %v, want a permanent one", err)
	}
}

// checkEnd: when the upstream has ended for good, Run delivers what there is
// and returns nil, and so does every later Run.
func checkEnd(t *trial) {
	src := t.open()
	s := t.run(src, "", nil)
	t.awaitLive(s)
	t.publish(1, few)
	if !t.resumes() {
		t.expect(s, 1, few) // what ends may forget what it had
	}
	t.do("end", t.End)
	t.expect(s, 1, few)
	if err := t.awaitReturn(s, patience, "the upstream ended"); err != nil {
		t.Errorf("the upstream ended: got error %v, want none", err)
	}
	s = t.run(src, "", nil)
	if err := t.awaitReturn(s, patience, "it was started on an upstream that has ended"); err != nil {
		t.Errorf("Run after the end: got error %v, want none", err)
	}
}
