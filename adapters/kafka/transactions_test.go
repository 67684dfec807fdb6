package kafka

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"sidestream/adapters"
)

// A transactor writes records in transactions.
type transactor struct {
	t      testing.TB
	client *kgo.Client
}

func newTransactor(t testing.TB, k *fake, id string) *transactor {
	t.Helper()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(k.ListenAddrs()...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.TransactionalID(id),
		kgo.Dialer(k.gate.dial),
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &transactor{t, client}
}

func (x *transactor) begin() {
	x.t.Helper()
	if err := x.client.BeginTransaction(); err != nil {
		x.t.Fatal(err)
	}
}

// put writes values into the partitions that their first letters name.
func (x *transactor) put(values ...string) {
	x.t.Helper()
	for _, v := range values {
		r := &kgo.Record{Topic: topicName, Partition: int32(v[0] - '0'), Value: []byte(v)}
		if err := x.client.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			x.t.Fatal(err)
		}
	}
}

func (x *transactor) end(how kgo.TransactionEndTry) {
	x.t.Helper()
	if err := x.client.EndTransaction(context.Background(), how); err != nil {
		x.t.Fatal(err)
	}
}

func TestTransactions(t *testing.T) {
	t.Parallel()
	k := startFake(t, 2)
	a, b := newTransactor(t, k, "a"), newTransactor(t, k, "b")
	committed, all := k.source(t, nil), k.source(t, func(o *Options) { o.Isolation = isolationUncommitted })
	only, every := run(t, committed, ""), run(t, all, "")
	only.waitLive()

	k.fill(t, "0plain")
	a.begin()
	b.begin()
	a.put("0a1", "1a1")
	b.put("0b1")
	k.fill(t, "0behind", "1behind")
	a.put("0a2")
	every.waitValues("0plain", "0a1", "0b1", "0behind", "0a2", "1a1", "1behind")
	only.waitValues("0plain")
	// Nothing else can be had, so that it is up to date; but what it is up to
	// is before the open transactions.
	at := only.waitLive()

	a.end(kgo.TryCommit) // b is open still, behind a's first record
	only.waitValues("0plain", "0a1", "1a1", "1behind")
	b.end(kgo.TryAbort)
	want := []string{"0plain", "0a1", "0behind", "0a2", "1a1", "1behind"}
	only.waitValues(want...)
	end := only.waitLive()
	if only.waitNextLive() != end {
		t.Error("got another position of the second Live notice at one place, want the same")
	}
	resumed := run(t, committed, at)
	resumed.waitValues("0a1", "0behind", "0a2", "1a1", "1behind")
	if got := resumed.waitLive(); got != end {
		t.Errorf("got %s of a Live notice, want %s, as of the Run before", got, end)
	}
	// A marker of a transaction alone moves the place.
	a.begin()
	a.put("0x")
	a.end(kgo.TryAbort)
	only.wait("a Live notice further on", func() bool {
		l := only.live()
		order, ok := committed.factory.places.compare(end, l[len(l)-1])
		return ok && order < 0
	})
	only.waitValues(want...)
	again := run(t, committed, end)
	again.waitLive()
	if got := again.values(); len(got) > 0 {
		t.Errorf("got %v after the end, want nothing", got)
	}
}

// Transactions of several producers are mixed with one another, and the Run is
// begun anew at every event: each gets just what was committed, in order.
func TestTransactionsMixed(t *testing.T) {
	t.Parallel()
	for _, fetch := range []adapters.Size{1 << 10, 1 << 20} {
		t.Run(fetch.String(), func(t *testing.T) {
			t.Parallel()
			k := startFake(t, 2, kfake.NumBrokers(2))
			random := rand.New(rand.NewPCG(7, uint64(fetch)))
			const producers = 4
			var open [producers][]string // what the open transactions have written; nil: it isn't open
			var who [producers]*transactor
			for i := range who {
				who[i] = newTransactor(t, k, strconv.Itoa(i))
			}
			want := map[string]bool{}
			var written []string
			for i := range 250 {
				p := random.IntN(producers)
				x := who[p]
				switch {
				case open[p] == nil:
					x.begin()
					open[p] = []string{}
				case len(open[p]) > 0 && random.IntN(5) == 0:
					if random.IntN(2) == 0 {
						x.end(kgo.TryAbort)
					} else {
						x.end(kgo.TryCommit)
						for _, v := range open[p] {
							want[v] = true
						}
					}
					open[p] = nil
					continue
				}
				v := fmt.Sprintf("%d-%d-%030d", random.IntN(2), i, p)
				if random.IntN(10) == 0 {
					k.fill(t, v)
					want[v] = true
				} else {
					x.put(v)
					open[p] = append(open[p], v)
				}
				written = append(written, v)
			}
			for p, x := range who {
				if open[p] != nil {
					x.end(kgo.TryAbort)
				}
			}
			var committed []string
			for _, v := range written {
				if want[v] {
					committed = append(committed, v)
				}
			}
			// The fake forgets to name what was aborted where max_bytes ends an
			// answer, so that this is left large.
			s := k.source(t, func(o *Options) { o.Fetch.MaxPartitionBytes = fetch })
			r := run(t, s, "")
			r.waitValues(committed...)
			r.waitLive()
			events := r.stop()
			checkValues(t, events, committed...)
			for i := 0; i < len(events); i += 7 {
				again := run(t, s, events[i].Position)
				again.waitValues(payloads(events)[i+1:]...)
				again.waitLive()
				checkValues(t, again.stop(), payloads(events)[i+1:]...)
			}
		})
	}
}

// A Live notice comes although a transaction is open that nothing gets past.
func TestLiveWithOpenTransaction(t *testing.T) {
	t.Parallel()
	k := startFake(t, 1)
	x := newTransactor(t, k, "x")
	x.begin()
	x.put("0a")
	k.fill(t, "0b")
	for name, s := range map[string]*source{"earliest": k.source(t, nil), "latest": k.source(t, func(o *Options) { o.Start = Start{} })} {
		r := run(t, s, "")
		r.waitLive()
		r.waitNextLive()
		if got := r.values(); len(got) > 0 {
			t.Errorf("%s: got %v, want nothing", name, got)
		}
		defer r.waitValues("0a", "0b") // "latest" is before what isn't committed yet
	}
	x.end(kgo.TryCommit)
}
