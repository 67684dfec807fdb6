// Package adaptertest checks that the sources of an adapter keep the promises
// of package adapters.
//
// An adapter's author prepares an upstream and says how to make it speak; the
// suite does the rest:
//
//	func TestConformance(t *testing.T) {
//		adaptertest.Run(t, adaptertest.Harness{
//			Start: func(t testing.TB) *adaptertest.Upstream {
//				broker := startBroker(t) // stopped by t.Cleanup
//				return &adaptertest.Upstream{
//					Factory: factoryFor(t, broker.URL),
//					Publish: func(ctx context.Context, i int) error {
//						return broker.Send(ctx, strconv.Itoa(i))
//					},
//					Number: func(e adapters.Event) (int, error) {
//						return strconv.Atoi(string(e.Data))
//					},
//				}
//			},
//		})
//	}
//
// # What is checked
//
// Which promises apply follows from the adapter's [adapters.Capabilities] and
// from what the harness can make its upstream do; nothing is switched off by
// name. Each promise is a subtest of its own:
//
//   - every adapter: "order", "slow-emit", "live", "positions", "state",
//     "serial", "late", "emit-error", "keep", "own", "cancel", "leak",
//     "again", "lost-malformed", "open", "ingest";
//   - with replayable positions or with state: "exclusive", "resume" and,
//     for positions that another upstream gave out, "lost-foreign";
//   - replayable only: "concurrent";
//   - with [adapters.Capabilities.Compare]: "compare"; if Seekable: "seek"
//     and "seek-error", which go by [adapters.Event.Time];
//   - with [adapters.Capabilities.Partitioned]: "replay", "replay-stop",
//     "replay-lost", "merge" and "before"; with [Upstream.Grow], "grow";
//   - with [adapters.Capabilities.Ingest] and [Upstream.Event], "receive",
//     "receive-error", "receive-together" and "receive-stop";
//   - with [Upstream.Key], "keys"; with [Upstream.Expire], "lost-expired";
//     with [Upstream.Recreate], "lost-recreated"; with [Upstream.Delete],
//     "deletion"; with [Upstream.Overflow], "overflow"; with [Upstream.Fail],
//     "failure", "recovery" and "reason"; with [Upstream.Break], "permanent";
//     with [Upstream.End], "end"; with variables named in the [Harness],
//     "hostile".
//
// What a source has to deliver follows from its capabilities:
//
//   - One without state delivers every event exactly once and in order, those
//     of one key if it is [adapters.Capabilities.Keyed].
//   - One that has state and cannot be replayed may leave out states that
//     were replaced before it saw them, but never the last.
//   - One that has state and can be replayed, such as a key-value bucket,
//     delivers every change while it runs. Of what happened before it was
//     started, as far as it is behind the position that it was given, it
//     delivers the newest event of each key, deletions included, and may leave
//     out those that were replaced. Without a position it begins with the
//     newest state of each key that is there, and with nothing of one that was
//     deleted, in the order of their positions, so that a Run can be resumed
//     among them as well. A position that it does not know is lost, as that of
//     any replayable source; one that has expired is lost if a key's newest
//     event has gone with it, and otherwise may be.
//
// A source that is [adapters.Capabilities.Partitioned] delivers the numbers of
// one key in order, and those of several partitions in any order, which may be
// another for each Run. The suite publishes in turn where a position has to
// stand for all numbers up to its own; where Runs are to differ, it holds some
// up until there is something to choose from. What it knows of a position is
// what the Run that gave it had delivered: Compare and Replay have to agree
// with that. So the harness's upstream should hold nothing that takes up a
// place and is never delivered, such as the markers of transactions.
//
// A source that has state may spread a change over several events: those
// without State are steps to the one that has it, which has to follow before
// anything else does. They stand for no number, and have a position of their
// own or none.
//
// Deletions ([adapters.State.Gone]) and Gap notices ([adapters.Event.Gap])
// are expected where the suite has made them happen, in "deletion" and
// "overflow", and reported anywhere else.
//
// Stale notices ([adapters.Event.Stale]) may be emitted at any time. They stand
// for nothing; one that is a Live notice as well is taken for that.
//
// Every source has to emit a Live notice: it is how the suite, like the
// supervisor, knows that a source listens.
//
// The suite works in real time, since upstreams do. It never waits for a
// fixed time where it can wait for a condition, and gives up on a condition
// after 10 seconds. Its subtests count goroutines, so nothing else should run
// beside them in the same process.
//
// # The reference
//
// [Log] is an upstream in memory that passes the suite in each of its forms,
// and so is [Partitions], of sources that are Partitioned. They serve tests of
// what is built upon sources. So does [Mailbox], of sources that are Receivers.
package adaptertest
