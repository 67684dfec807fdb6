package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"sidestream/e2e/chaos"
)

// A kafkaTransactor writes transactions, which it commits, aborts, or leaves
// open.
type kafkaTransactor struct {
	client     *kafkaClient
	ledger     *kafkaLedger
	name       string
	topic      string
	partitions int
	keys       []string
	random     *rand.Rand

	session    *driverSession
	generation int // of the transactional id
}

// transactionTimeout is how long Kafka leaves a transaction open that nobody
// ends.
const transactionTimeout = 3 * time.Second

// run writes transactions until ctx is done. The last of them may be left open.
func (x *kafkaTransactor) run(ctx context.Context) {
	defer x.leave()
	for ctx.Err() == nil {
		x.transact(ctx)
		pause(ctx, nil, time.Duration(x.random.Int64N(int64(200*time.Millisecond))))
	}
}

// transact writes one transaction.
func (x *kafkaTransactor) transact(ctx context.Context) {
	if x.session == nil {
		s, err := x.client.driver.open(ctx)
		if err != nil {
			return
		}
		// Another id, so that nobody aborts what was left open but Kafka.
		x.session, x.generation = s, x.generation+1
	}
	id := fmt.Sprintf("%s-%d", x.name, x.generation)
	if err := x.ask(ctx, map[string]any{"op": "begin", "id": id, "timeoutMs": transactionTimeout.Milliseconds()}, nil); err != nil {
		x.leave()
		return
	}
	var (
		records []chaos.Record
		acks    []kafkaAck
		stored  = true
	)
	for range 1 + x.random.IntN(3) {
		some := []chaos.Record{x.ledger.draw(x.keys[x.random.IntN(len(x.keys))]), x.ledger.draw(x.keys[x.random.IntN(len(x.keys))])}
		records = append(records, some...)
		var told []kafkaAck
		err := x.ask(ctx, produceOp(x.topic, "none", kafkaMessages(some, x.random.IntN(x.partitions))), &told)
		acks = append(acks, told...)
		stored = stored && err == nil && len(told) == 2 && told[0].Error == "" && told[1].Error == ""
		pause(ctx, nil, time.Duration(x.random.Int64N(int64(100*time.Millisecond))))
	}
	switch choice := x.random.Float64(); {
	case !stored, choice < 0.15:
		x.ledger.abort(x.topic, records)
		x.ledger.tell("left open")
		x.leave()
	case choice < 0.4:
		x.ledger.abort(x.topic, records)
		x.ledger.tell("aborted")
		if x.ask(ctx, map[string]any{"op": "abort"}, nil) != nil {
			x.leave()
		}
	default:
		if x.ask(ctx, map[string]any{"op": "commit"}, nil) != nil {
			x.ledger.tell("unknown") // it may be committed or not
			x.leave()
			return
		}
		x.ledger.tell("committed")
		x.ledger.place(x.topic, records, acks)
	}
}

// leave ends the producer, and leaves its transaction open if there is one.
func (x *kafkaTransactor) leave() {
	if x.session != nil {
		_ = x.session.Close()
	}
	x.session = nil
}

// ask has the driver do something, and waits for that even if ctx is done, so
// that it is known what has become of it.
func (x *kafkaTransactor) ask(ctx context.Context, op, answer any) error {
	return x.session.ask(context.WithoutCancel(ctx), x.client, op, answer)
}
