package kafka

import (
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sidestream/adapters"
)

// forget has the brokers tell of n partitions of the topic, as one does that
// hasn't heard of those that were added, and returns how often they have done it
// and what ends it.
func (f *fake) forget(n int) (told *atomic.Int64, heard func()) {
	var off atomic.Bool
	told = new(atomic.Int64)
	f.ControlKey(int16(kmsg.Metadata), func(q kmsg.Request) (kmsg.Response, error, bool) {
		f.KeepControl()
		req := q.(*kmsg.MetadataRequest)
		if off.Load() || len(req.Topics) == 0 {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.MetadataResponse)
		resp.ClusterID = kmsg.StringPtr("kfake")
		b := kmsg.NewMetadataResponseBroker()
		b.NodeID, b.Host, b.Port = hostOf(f.ListenAddrs()[0])
		resp.Brokers = append(resp.Brokers, b)
		t := kmsg.NewMetadataResponseTopic()
		t.Topic, t.TopicID = kmsg.StringPtr(topicName), f.TopicInfo(topicName).TopicID
		for i := range n {
			p := kmsg.NewMetadataResponseTopicPartition()
			p.Partition = int32(i)
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
		told.Add(1)
		return resp, nil, true
	})
	return told, func() { off.Store(true) }
}

// That a broker hasn't heard of the partitions which were added last ends no Run
// that reads them, and isn't taken for there being none.
func TestBrokerBehind(t *testing.T) {
	t.Parallel()
	for name, configure := range map[string]func(*Options){
		"all": func(o *Options) { o.MetadataAge = adapters.Duration(lookLatest / 10) },
		"one": func(o *Options) {
			o.MetadataAge = adapters.Duration(lookLatest / 10)
			o.Partitions = []int32{2}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := startFake(t, 3)
			put := func(v string) { k.put(t, &kgo.Record{Topic: topicName, Partition: 2, Value: []byte(v)}) }
			put("2a")
			s := k.source(t, configure)
			r := run(t, s, "")
			r.waitValues("2a")
			at := r.waitLive()
			told, heard := k.forget(2)
			r.wait("be told of two partitions, twice", func() bool { return told.Load() >= 2 })
			put("2b")
			r.waitValues("2a", "2b")
			heard()
			put("2c")
			r.waitValues("2a", "2b", "2c")
			r.stop()

			k.forget(2)
			err := s.Run(t.Context(), at, func(adapters.Event) error { return nil })
			if err == nil || adapters.IsPermanent(err) || adapters.Reason(err) != reasonNoPartition {
				t.Errorf("a Run that begins then: got %v, want a transient %q", err, reasonNoPartition)
			}
		})
	}
}

// An id of a partition that there never was holds no Run.
func TestPositionBeyondPartitions(t *testing.T) {
	t.Parallel()
	k := startFake(t, 2)
	k.fill(t, "0a", "1a")
	s := k.source(t, nil)
	r := run(t, s, "")
	r.waitValues("0a", "1a")
	r.waitLive()
	r.stop()
	forged, err := s.factory.places.parse(r.seen()[1].Position)
	if err != nil {
		t.Fatal(err)
	}
	forged.addPartition(0, 1000, 0)
	err = s.Run(t.Context(), s.positionOf(forged), func(adapters.Event) error { return nil })
	if err == nil || adapters.IsPermanent(err) || adapters.Reason(err) != reasonNoPartition {
		t.Errorf("got %v, want a transient %q", err, reasonNoPartition)
	}
}

// hostOf takes an address of the first broker apart.
func hostOf(addr string) (id int32, host string, port int32) {
	a := netip.MustParseAddrPort(addr)
	return 0, a.Addr().String(), int32(a.Port())
}
