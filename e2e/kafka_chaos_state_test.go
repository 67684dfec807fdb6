package e2e

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"sidestream/e2e/chaos"
)

// A kafkaStateWriter changes the state of keys in a compacted topic, and takes
// them away.
type kafkaStateWriter struct {
	*kafkaWriter
	random *rand.Rand
}

// run changes a few keys every so often until ctx is done.
func (w *kafkaStateWriter) run(ctx context.Context, every time.Duration, n int) {
	defer w.close()
	for ctx.Err() == nil {
		records := make([]chaos.Record, n)
		for i := range records {
			records[i] = w.ledger.draw(w.keys[w.random.IntN(len(w.keys))])
			records[i].Gone = w.random.IntN(4) == 0
		}
		if w.send(ctx, records) != nil {
			pause(ctx, nil, attemptTimeout/10)
		}
		pause(ctx, nil, every)
	}
}

// last takes some keys away, sets some, and leaves the others as they are, so
// that it shows what clients were not told of them.
func (w *kafkaStateWriter) last(tb testing.TB) {
	tb.Helper()
	defer w.close()
	for i, key := range w.keys {
		if i%4 > 1 {
			continue
		}
		waitFor(tb, 2*patience, "the last record of "+key+" in "+w.topic, func() (any, bool) {
			r := w.ledger.draw(key)
			r.Gone = i%4 == 0
			err := w.send(tb.Context(), []chaos.Record{r})
			return err, err == nil
		})
	}
}
