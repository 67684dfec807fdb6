package kafka

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sidestream/adapters"
)

// A follower is a broker that a leader sends the clients of a rack to, and what
// it answers, if that isn't what it has. The fake has none of this itself.
type follower struct {
	k      *fake
	node   atomic.Int32 // that the leader names; -1: none
	answer atomic.Int32 // the code that the follower answers; 0: records

	asked, sent atomic.Int32 // requests that the follower had, and those that the leader sent there
}

const rack = "here"

// startFollower starts a cluster of brokers 0, which leads the one partition,
// and 1, which follows.
func startFollower(t testing.TB) (*follower, *source) {
	t.Helper()
	k := startFake(t, 1, kfake.NumBrokers(2))
	if err := k.MoveTopicPartition(topicName, 0, 0); err != nil {
		t.Fatal(err)
	}
	k.SetFollowers(topicName, 0, []int32{1})
	f := &follower{k: k}
	f.node.Store(1)
	k.ControlKey(int16(keyFetch), f.control)
	return f, k.source(t, func(o *Options) { o.Connection.Rack = rack })
}

func (f *follower) control(kreq kmsg.Request) (kmsg.Response, error, bool) { //nolint:revive // the order is the fake's
	f.k.KeepControl()
	req := kreq.(*kmsg.FetchRequest)
	part := kmsg.NewFetchResponseTopicPartition()
	part.HighWatermark, part.LastStableOffset = 1000, 1000
	switch {
	case req.Rack != rack:
		return nil, nil, false
	case f.k.CurrentNode() == 0 && f.node.Load() >= 0:
		f.sent.Add(1)
		part.PreferredReadReplica = f.node.Load()
	case f.k.CurrentNode() == 1:
		f.asked.Add(1)
		if f.answer.Load() == 0 {
			return nil, nil, false
		}
		part.ErrorCode = int16(f.answer.Load())
	default:
		return nil, nil, false
	}
	resp := req.ResponseKind().(*kmsg.FetchResponse)
	topic := kmsg.NewFetchResponseTopic()
	topic.Topic, topic.TopicID = req.Topics[0].Topic, req.Topics[0].TopicID
	topic.Partitions = append(topic.Partitions, part)
	resp.Topics = append(resp.Topics, topic)
	return resp, nil, true
}

func TestReplicaInRack(t *testing.T) {
	t.Parallel()
	f, s := startFollower(t)
	r := run(t, s, "")
	f.k.fill(t, "0a")
	r.waitValues("0a")
	r.waitLive()
	sent, asked := f.sent.Load(), f.asked.Load()
	if sent > 2 || asked == 0 { // one may have been under way
		t.Errorf("got %d requests to the leader and %d to the replica, want 1 and some", sent, asked)
	}
	f.k.fill(t, "0b", "0c")
	r.waitValues("0a", "0b", "0c")
	r.waitLive()
	if got := f.sent.Load(); got != sent || f.asked.Load() == asked {
		t.Errorf("got %d more requests to the leader, want none", got-sent)
	}
}

// What the replica doesn't know, the leader does: that is no loss.
func TestReplicaBehind(t *testing.T) {
	t.Parallel()
	for _, e := range []*kerr.Error{kerr.OffsetOutOfRange, kerr.NotLeaderForPartition, kerr.OffsetNotAvailable, kerr.UnknownLeaderEpoch} {
		t.Run(e.Message, func(t *testing.T) {
			t.Parallel()
			f, s := startFollower(t)
			f.answer.Store(int32(e.Code))
			f.k.fill(t, "0a")
			r := run(t, s, "")
			eventually(t, "a replica that is asked again", func() bool { return f.asked.Load() > 1 })
			f.node.Store(-1) // the leader has found out
			r.waitValues("0a")
			r.waitLive()
		})
	}
}

// The leader names a broker that isn't known yet, or any more. It is looked for,
// and the leader isn't asked without a pause.
func TestReplicaUnknown(t *testing.T) {
	t.Parallel()
	f, s := startFollower(t)
	f.node.Store(77)
	f.k.fill(t, "0a")
	r := run(t, s, "")
	eventually(t, "a leader that has been asked", func() bool { return f.sent.Load() > 0 })
	const some = 500 * time.Millisecond
	begun, before := time.Now(), f.sent.Load()
	eventually(t, "some time", func() bool { return time.Since(begun) > some })
	if got := f.sent.Load() - before; got > 50 {
		t.Errorf("got %d requests in %v, want a few", got, some)
	}
	f.node.Store(-1)
	r.waitValues("0a")
}

// A replica that is down is done without.
func TestReplicaDown(t *testing.T) {
	t.Parallel()
	f, s := startFollower(t)
	r := run(t, s, "")
	f.k.fill(t, "0a")
	r.waitValues("0a")
	if err := f.k.RemoveNode(1); err != nil {
		t.Fatal(err)
	}
	f.node.Store(-1)
	f.k.fill(t, "0b")
	eventually(t, "the next, or an end", func() bool { return len(r.seen()) == 2 || isDone(r.done) })
	at := r.seen()[len(r.seen())-1].Position
	if isDone(r.done) { // there was nothing else to read
		if adapters.IsPermanent(r.err) || asLost(r.err) != nil {
			t.Errorf("got %v, want a transient failure", r.err)
		}
		r = run(t, s, at)
		r.waitValues("0b")
	}
}

// After some time the leader is asked again, which may know of a better one.
func TestReplicaTime(t *testing.T) {
	t.Parallel()
	_, s := startFollower(t)
	cluster, err := s.factory.cluster()
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.lookUp(t.Context(), cluster)
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{source: s, layout: l}
	p := &part{leader: 0, replica: 1, replicaUntil: time.Now().Add(replicaTime)}
	if node, ok := r.node(p); !ok || node.ID != 1 {
		t.Errorf("got %v, %t, want the replica", node, ok)
	}
	p.replicaUntil = time.Now()
	if node, ok := r.node(p); !ok || node.ID != 0 {
		t.Errorf("got %v, %t, want the leader", node, ok)
	}
}
