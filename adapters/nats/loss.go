package nats

import (
	"context"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"sidestream/adapters"
)

// # What counts as lost
//
// The oldest messages of a stream go by its limits and when it is purged:
// whoever hasn't got them has lost them, and is told how many they were. A
// message that goes from the middle was taken out for its own sake: by hand,
// by a lifetime of its own, a rollup, a limit on its subject, or because a
// work queue is done with it. That is the publisher's will, and nobody is told.
//
// How many were lost is known from their sequences, if each of these was that
// of a message which the Run would have delivered. It is unknown for one that
// filters the stream's subjects, unless its filters select all of them.

// lost returns the error of a position that can't be gone on from. Run will
// go on after the sequence resume.
func lost(why adapters.LostReason, resume place, n int64) error {
	return &adapters.PositionLostError{Reason: why, Resume: resume.position(), Lost: n}
}

// between returns how many messages were lost if those from after the sequence
// from up to the sequence to are; all says that each would have been
// delivered.
func between(from, to uint64, all bool) int64 {
	if n := int64(to - from); all && n >= 0 {
		return n
	}
	return -1
}

// moved is a look at the stream on behalf of a delivery under way, which fails
// if it is another one than the delivery's.
func moved(ctx context.Context, d *delivery) (streamState, error) {
	now, err := d.look(ctx)
	if err == nil && now.id != d.at.id {
		err = adapters.Transient(reasonAnew, nil)
	}
	return now, err
}

// A denseGuard guards a delivery of all messages of a stream: those that are
// missing are missing from the sequences.
type denseGuard struct {
	numbered bool // see [streamState.numbered]

	// from is the sequence up to which sequences are missing since the Run
	// begins with a selection.
	from uint64

	// clear is how much the puller had received when the stream was last
	// looked at: it had lost nothing then, so nothing of that.
	clear uint64
}

func (g *denseGuard) before(ctx context.Context, d *delivery, meta *natsgo.MsgMetadata) error {
	known := d.pull.taken <= g.clear
	seq := meta.Sequence.Stream
	if seq <= d.at.seq+1 || seq <= g.from || known {
		return nil
	}
	return g.check(ctx, d, seq-1)
}

// check finds out what became of the sequences that follow d.at, up to last.
func (g *denseGuard) check(ctx context.Context, d *delivery, last uint64) error {
	now, err := moved(ctx, d)
	if err != nil {
		return err
	}
	if now.first > d.at.seq+1 {
		return lost(adapters.LostExpired, d.place(last, time.Time{}), between(d.at.seq, last, g.numbered))
	}
	g.clear = d.pull.taken + uint64(len(d.pull.in))
	return nil
}

func (g *denseGuard) behind(context.Context, *delivery, *natsgo.MsgMetadata) error { return nil }

func (g *denseGuard) idle(ctx context.Context, d *delivery, last uint64) (place, error) {
	if last <= d.at.seq {
		return d.at, nil
	}
	if err := g.check(ctx, d, last); err != nil {
		return place{}, err
	}
	return d.place(last, time.Time{}), nil
}

// checkInterval is how often a delivery that lags looks whether it has been
// overtaken by the removal of messages.
// When it has caught up it looks at once, while what it has delivered is
// still there to be compared with, unless it has looked within settleInterval:
// nothing is expected to be removed so soon.
const (
	checkInterval  = time.Second
	settleInterval = 50 * time.Millisecond
)

// A sparseGuard guards a delivery of some messages of a stream. Sequences that
// are missing mean nothing there. As long as the consumer has delivered all
// there is whenever a message is stored, nothing can be lost; while it lags,
// something may have been as soon as messages are removed that are newer than
// what was known to be delivered before. There is no telling how many.
type sparseGuard struct {
	known   uint64    // nothing was lost up to there
	lagging bool      // messages were waiting since
	checked time.Time // when it last looked
}

func (g *sparseGuard) before(context.Context, *delivery, *natsgo.MsgMetadata) error { return nil }

func (g *sparseGuard) behind(ctx context.Context, d *delivery, meta *natsgo.MsgMetadata) error {
	if !g.lagging {
		g.known = d.at.seq // nothing had to wait until this message came
	}
	g.lagging = g.lagging || meta.NumPending > 0 || d.pull.starved
	switch {
	case !g.lagging:
		return nil
	case meta.NumPending > 0 && time.Since(g.checked) < checkInterval:
		return nil
	case meta.NumPending == 0 && time.Since(g.checked) < settleInterval:
		g.known, g.lagging = d.at.seq, false
		return nil
	}
	if err := g.check(ctx, d); err != nil {
		return err
	}
	g.lagging = meta.NumPending > 0
	return nil
}

func (g *sparseGuard) check(ctx context.Context, d *delivery) error {
	d.pull.starved = false
	now, err := moved(ctx, d)
	if err != nil {
		return err
	}
	if now.first > g.known+1 {
		return lost(adapters.LostExpired, d.place(max(d.at.seq, now.first-1), time.Time{}), -1)
	}
	g.known, g.checked = d.at.seq, time.Now()
	return nil
}

func (g *sparseGuard) idle(ctx context.Context, d *delivery, last uint64) (place, error) {
	if g.lagging || d.pull.starved {
		if err := g.check(ctx, d); err != nil {
			return place{}, err
		}
		g.lagging = false
	}
	if last <= d.at.seq {
		return d.at, nil
	}
	g.known = last
	return d.place(last, time.Time{}), nil
}
