package broker

import (
	"bytes"
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sidestream/adapters/kafka/record"
)

// encoded returns the body of a request in a version.
func encoded(tb testing.TB, x exchange, version int16) []byte {
	tb.Helper()
	f := x.form()
	e := encoder{flexible: f.flexible > 0 && version >= f.flexible}
	x.encode(&e, version)
	if e.err != nil {
		tb.Fatalf("v%d: got %v, want no error", version, e.err)
	}
	return e.b
}

// decoded has x decode the body of an answer in a version, all of it.
func decoded(tb testing.TB, x exchange, version int16, body []byte) {
	tb.Helper()
	f := x.form()
	d := decoder{b: body, flexible: f.flexible > 0 && version >= f.flexible}
	x.decode(&d, version)
	if d.err != nil || len(d.b) > 0 {
		tb.Fatalf("v%d: got %v and %d bytes left, want neither", version, d.err, len(d.b))
	}
}

// request returns a request as another implementation of the protocol reads it,
// which writes it in the very same way.
func request[T kmsg.Request](tb testing.TB, x exchange, version int16) T {
	tb.Helper()
	r := kmsg.RequestForKey(int16(x.form().key))
	r.SetVersion(version)
	body := encoded(tb, x, version)
	if err := r.ReadFrom(body); err != nil {
		tb.Fatalf("v%d: got %v, want no error", version, err)
	}
	if again := r.AppendTo(nil); !bytes.Equal(body, again) {
		tb.Fatalf("v%d: got\n%x, want\n%x", version, body, again)
	}
	return r.(T)
}

func equal(tb testing.TB, what string, version int16, got, want any) {
	tb.Helper()
	if !reflect.DeepEqual(got, want) {
		tb.Errorf("%s of v%d: got %+v, want %+v", what, version, got, want)
	}
}

// versions are all that an exchange knows.
func versions(x exchange) []int16 {
	known := map[int16]bool{}
	for _, s := range x.form().versions {
		for v := s.min; v <= s.max; v++ {
			known[v] = true
		}
	}
	return slices.Sorted(maps.Keys(known))
}

func ptr[T any](v T) *T { return &v }

var someID = TopicID{1, 2, 3, 15: 16}

func TestMetadataVersions(t *testing.T) {
	for _, v := range versions(&metadataExchange{}) {
		asked := request[*kmsg.MetadataRequest](t, &metadataExchange{topics: []string{"a", "none"}}, v)
		equal(t, "topics", v, []any{len(asked.Topics), *asked.Topics[0].Topic, *asked.Topics[1].Topic}, []any{2, "a", "none"})
		equal(t, "creation", v, asked.AllowAutoTopicCreation, false)

		none := request[*kmsg.MetadataRequest](t, &metadataExchange{}, v)
		equal(t, "topics, of which none,", v, none.Topics != nil && len(none.Topics) == 0, true)

		answer := kmsg.NewPtrMetadataResponse()
		answer.Version, answer.ThrottleMillis, answer.ClusterID, answer.ControllerID = v, 7, ptr("abc"), 2
		answer.Brokers = []kmsg.MetadataResponseBroker{{NodeID: 1, Host: "one", Port: 9092, Rack: ptr("r")}, {NodeID: 2, Host: "::1", Port: 9093}}
		answer.Topics = []kmsg.MetadataResponseTopic{
			{Topic: ptr("a"), TopicID: someID, IsInternal: true, Partitions: []kmsg.MetadataResponseTopicPartition{
				{Partition: 1, Leader: 2, LeaderEpoch: 5, Replicas: []int32{1, 2}, ISR: []int32{2}, OfflineReplicas: []int32{1}},
				{Partition: 0, Leader: -1, LeaderEpoch: 4, ErrorCode: int16(kafka.LeaderNotAvailable)},
			}},
			{Topic: ptr("other")},
		}
		x := metadataExchange{topics: []string{"a", "none"}}
		decoded(t, &x, v, answer.AppendTo(nil))
		want := Metadata{
			ClusterID: "abc",
			Brokers:   map[int32]Node{1: {1, "one", 9092, "r"}, 2: {2, "::1", 9093, ""}},
			Topics: map[string]Topic{
				"a": {Name: "a", ID: someID, Partitions: []Partition{
					{0, -1, 4, kafka.LeaderNotAvailable}, {1, 2, 5, nil},
				}},
				"none": {Name: "none", Err: kafka.UnknownTopicOrPartition},
			},
		}
		if v < 10 {
			a := want.Topics["a"]
			a.ID = TopicID{}
			want.Topics["a"] = a
		}
		if v < 7 {
			want.Topics["a"].Partitions[0].Epoch, want.Topics["a"].Partitions[1].Epoch = -1, -1
		}
		equal(t, "answer", v, x.answer, want)
	}
	if got, want := (Node{Host: "::1", Port: 9093}).address(), "[::1]:9093"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func fetchRequest() *FetchRequest {
	return &FetchRequest{
		MaxWait: 1500 * time.Millisecond, MaxBytes: 1000, Committed: true, Rack: "r",
		Partitions: []FetchPartition{
			{"a", someID, 1, 5, 100, 10},
			{"b", TopicID{9}, 0, -1, 1 << 40, 11},
			{"a", someID, 0, 6, 0, 12},
		},
	}
}

func TestFetchVersions(t *testing.T) {
	for _, v := range versions(newFetchExchange(fetchRequest())) {
		r := request[*kmsg.FetchRequest](t, newFetchExchange(fetchRequest()), v)
		equal(t, "wait", v, []any{r.ReplicaID, r.MaxWaitMillis, r.MinBytes, r.MaxBytes, r.IsolationLevel}, []any{int32(-1), int32(1500), int32(1), int32(1000), int8(1)})
		if v >= 7 {
			equal(t, "session", v, []int32{r.SessionID, r.SessionEpoch}, []int32{0, -1})
		}
		if v >= 11 {
			equal(t, "rack", v, r.Rack, "r")
		}
		names, ids, epochs := []string{"a", "b"}, [][16]byte{{}, {}}, []int32{5, 6, -1}
		if v >= 13 {
			names, ids = []string{"", ""}, [][16]byte{someID, {9}}
		}
		if v < 9 {
			epochs = []int32{-1, -1, -1}
		}
		equal(t, "names", v, []string{r.Topics[0].Topic, r.Topics[1].Topic}, names)
		equal(t, "ids", v, [][16]byte{r.Topics[0].TopicID, r.Topics[1].TopicID}, ids)
		var places [][3]int64
		var theirs []int32
		for _, topic := range r.Topics {
			for _, p := range topic.Partitions {
				places = append(places, [3]int64{int64(p.Partition), p.FetchOffset, int64(p.PartitionMaxBytes)})
				theirs = append(theirs, p.CurrentLeaderEpoch)
			}
		}
		equal(t, "places", v, places, [][3]int64{{1, 100, 10}, {0, 0, 12}, {0, 1 << 40, 11}})
		equal(t, "epochs", v, theirs, epochs)
		fetchAnswer(t, v)
	}
}

func fetchAnswer(t *testing.T, v int16) {
	t.Helper()
	answer := kmsg.NewPtrFetchResponse()
	answer.Version, answer.ThrottleMillis = v, 7
	a, b, other := kmsg.NewFetchResponseTopic(), kmsg.NewFetchResponseTopic(), kmsg.NewFetchResponseTopic()
	a.Topic, a.TopicID = "a", someID
	one, two, three := kmsg.NewFetchResponseTopicPartition(), kmsg.NewFetchResponseTopicPartition(), kmsg.NewFetchResponseTopicPartition()
	one.Partition, one.HighWatermark, one.LastStableOffset, one.LogStartOffset, one.RecordBatches = 0, 30, 20, 10, []byte("records")
	one.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{{ProducerID: 8, FirstOffset: 12}, {ProducerID: 9, FirstOffset: 13}}
	two.Partition, two.HighWatermark, two.PreferredReadReplica = 1, 5, 3
	two.UnknownTags.Set(17, []byte("from the future"))
	three.Partition = 44 // not asked for
	a.Partitions = []kmsg.FetchResponseTopicPartition{one, three, two}
	b.Topic, b.TopicID = "b", TopicID{9}
	four := kmsg.NewFetchResponseTopicPartition()
	four.ErrorCode, four.HighWatermark = int16(kafka.OffsetOutOfRange), -1
	b.Partitions = []kmsg.FetchResponseTopicPartition{four}
	other.Topic, other.TopicID = "other", TopicID{10}
	other.Partitions = []kmsg.FetchResponseTopicPartition{one}
	answer.Topics = []kmsg.FetchResponseTopic{other, b, a}
	body := answer.AppendTo(nil)

	x := newFetchExchange(fetchRequest())
	decoded(t, x, v, body)
	want := []*Fetched{
		{Topic: "a", Partition: 1, HighWatermark: 5, LastStable: -1, LogStart: -1, Preferred: 3},
		{Topic: "b", Partition: 0, Err: kafka.OffsetOutOfRange, HighWatermark: -1, LastStable: -1, LogStart: -1, Preferred: -1},
		{
			Topic: "a", Partition: 0, HighWatermark: 30, LastStable: 20, LogStart: 10, Preferred: -1,
			Aborted: []record.Aborted{{ProducerID: 8, FirstOffset: 12}, {ProducerID: 9, FirstOffset: 13}}, Records: []byte("records"),
		},
	}
	if v < 11 {
		want[0].Preferred = -1
	}
	if v < 5 {
		want[2].LogStart = -1
	}
	for i := range want {
		if len(x.fetched[i].Records) == 0 {
			x.fetched[i].Records = nil
		}
		equal(t, "partition", v, *x.fetched[i], *want[i])
	}
	if got := x.fetched[2].Records; cap(got) != len(got) {
		t.Errorf("v%d: got records with room for %d bytes, want no more than %d", v, cap(got), len(got))
	}

	if v < 7 {
		return
	}
	failed := kmsg.NewPtrFetchResponse()
	failed.Version, failed.ErrorCode = v, int16(kafka.FetchSessionTopicIDError)
	x = newFetchExchange(fetchRequest())
	d := decoder{b: failed.AppendTo(nil), flexible: v >= x.form().flexible}
	x.decode(&d, v)
	for i, p := range x.request.Partitions {
		want := Fetched{Topic: p.Topic, Partition: p.Partition, Err: kafka.FetchSessionTopicIDError, HighWatermark: -1, LastStable: -1, LogStart: -1, Preferred: -1}
		equal(t, "failure", v, *x.fetched[i], want)
	}
}

// TestFetchByName names topics by their names unless all of them have ids, each
// its own.
func TestFetchByName(t *testing.T) {
	offered := map[protocol.ApiKey]span{protocol.Fetch: {4, 17}}
	for _, tc := range []struct {
		name string
		ids  []TopicID
		want int16
	}{
		{"all ids", []TopicID{{1}, {2}, {1}}, 13},
		{"none", []TopicID{{}, {}, {}}, 11},
		{"one is missing", []TopicID{{1}, {}, {1}}, 11},
		{"two topics with one id", []TopicID{{1}, {1}, {1}}, 11},
	} {
		r := fetchRequest()
		for i, id := range tc.ids {
			r.Partitions[i].TopicID = id
		}
		if got, ok := newFetchExchange(r).form().choose(offered); got != tc.want || !ok {
			t.Errorf("%s: got v%d, want v%d", tc.name, got, tc.want)
		}
	}
}

func TestOffsetsVersions(t *testing.T) {
	at := []OffsetRequest{{"a", 1, Latest}, {"b", 0, Earliest}, {"a", 0, 1234}, {"a", 1, Earliest}}
	take := func() (*offsetsExchange, []int) {
		x := &offsetsExchange{committed: true, at: at, index: map[place]int{}, offsets: make([]Offset, len(at))}
		return x, x.take([]int{0, 1, 2, 3})
	}
	x, _ := take()
	for _, v := range versions(x) {
		x, rest := take()
		equal(t, "rest", v, rest, []int{3})
		r := request[*kmsg.ListOffsetsRequest](t, x, v)
		if v >= 2 {
			equal(t, "isolation", v, r.IsolationLevel, int8(1))
		}
		var asked []OffsetRequest
		for _, topic := range r.Topics {
			for _, p := range topic.Partitions {
				asked = append(asked, OffsetRequest{topic.Topic, p.Partition, p.Timestamp})
			}
		}
		equal(t, "request", v, asked, []OffsetRequest{at[0], at[2], at[1]})

		answer := kmsg.NewPtrListOffsetsResponse()
		answer.Version = v
		part := func(id int32, offset, at int64, code kafka.Error) kmsg.ListOffsetsResponseTopicPartition {
			p := kmsg.NewListOffsetsResponseTopicPartition()
			p.Partition, p.Offset, p.Timestamp, p.ErrorCode = id, offset, at, int16(code)
			return p
		}
		answer.Topics = []kmsg.ListOffsetsResponseTopic{
			{Topic: "b", Partitions: []kmsg.ListOffsetsResponseTopicPartition{part(0, -1, -1, kafka.NotLeaderForPartition)}},
			{Topic: "a", Partitions: []kmsg.ListOffsetsResponseTopicPartition{part(0, 77, 1235, 0), part(3, 1, 1, 0), part(1, 99, -1, 0)}},
		}
		decoded(t, x, v, answer.AppendTo(nil))
		equal(t, "answer", v, x.offsets[:3], []Offset{
			{"a", 1, 99, -1, nil}, {"b", 0, -1, -1, kafka.NotLeaderForPartition}, {"a", 0, 77, 1235, nil},
		})

		x, _ = take()
		answer.Topics = answer.Topics[1:]
		d := decoder{b: answer.AppendTo(nil)}
		if x.decode(&d, v); !errors.Is(d.err, errMalformed) {
			t.Errorf("v%d without a partition: got %v, want %v", v, d.err, errMalformed)
		}
	}
}

func TestConfigVersions(t *testing.T) {
	for _, v := range versions(&configExchange{}) {
		x := &configExchange{topic: "a", names: []string{"cleanup.policy", "secret"}}
		r := request[*kmsg.DescribeConfigsRequest](t, x, v)
		equal(t, "resource", v, r.Resources, []kmsg.DescribeConfigsRequestResource{
			{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "a", ConfigNames: []string{"cleanup.policy", "secret"}},
		})
		equal(t, "extras", v, r.IncludeSynonyms || r.IncludeDocumentation, false)

		answer := kmsg.NewPtrDescribeConfigsResponse()
		answer.Version = v
		resource := kmsg.NewDescribeConfigsResponseResource()
		policy, hidden := kmsg.NewDescribeConfigsResponseResourceConfig(), kmsg.NewDescribeConfigsResponseResourceConfig()
		policy.Name, policy.Value, policy.Documentation = "cleanup.policy", ptr("compact"), ptr("words")
		synonym := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
		synonym.Name, synonym.Value = "log.cleanup.policy", ptr("delete")
		policy.ConfigSynonyms = []kmsg.DescribeConfigsResponseResourceConfigConfigSynonym{synonym}
		hidden.Name, hidden.IsSensitive = "secret", true
		resource.Configs = []kmsg.DescribeConfigsResponseResourceConfig{policy, hidden}
		answer.Resources = []kmsg.DescribeConfigsResponseResource{resource}
		decoded(t, x, v, answer.AppendTo(nil))
		equal(t, "values", v, x.values, map[string]string{"cleanup.policy": "compact"})
		equal(t, "error", v, x.err, nil)

		resource.ErrorCode, resource.ErrorMessage = int16(kafka.TopicAuthorizationFailed), ptr("words")
		resource.Configs = nil
		answer.Resources = []kmsg.DescribeConfigsResponseResource{resource}
		decoded(t, x, v, answer.AppendTo(nil))
		equal(t, "error", v, x.err, kafka.TopicAuthorizationFailed)
	}
}

func TestHandshakeVersions(t *testing.T) {
	asked := request[*kmsg.SASLHandshakeRequest](t, &handshakeExchange{mechanism: "PLAIN"}, 1)
	equal(t, "mechanism", 1, asked.Mechanism, "PLAIN")
	answer := kmsg.NewPtrSASLHandshakeResponse()
	answer.Version, answer.ErrorCode, answer.SupportedMechanisms = 1, int16(kafka.UnsupportedSASLMechanism), []string{"A", "B"}
	var handshake handshakeExchange
	decoded(t, &handshake, 1, answer.AppendTo(nil))
	equal(t, "answer", 1, handshake, handshakeExchange{err: kafka.UnsupportedSASLMechanism, offered: []string{"A", "B"}})

	for _, v := range versions(&authenticateExchange{}) {
		asked := request[*kmsg.SASLAuthenticateRequest](t, &authenticateExchange{response: []byte("me")}, v)
		equal(t, "bytes", v, asked.SASLAuthBytes, []byte("me"))
		answer := kmsg.NewPtrSASLAuthenticateResponse()
		answer.Version, answer.ErrorMessage, answer.SASLAuthBytes, answer.SessionLifetimeMillis = v, ptr("words"), []byte("you"), 1500
		var x authenticateExchange
		decoded(t, &x, v, answer.AppendTo(nil))
		want := authenticateExchange{challenge: []byte("you"), lifetime: 1500 * time.Millisecond}
		if v < 1 {
			want.lifetime = 0
		}
		equal(t, "answer", v, x, want)
	}

	request[*kmsg.ApiVersionsRequest](t, &versionsExchange{}, 0)
	offered := kmsg.NewPtrApiVersionsResponse()
	offered.ApiKeys = []kmsg.ApiVersionsResponseApiKey{{ApiKey: 1, MinVersion: 4, MaxVersion: 17}, {ApiKey: 99, MaxVersion: 1}}
	var x versionsExchange
	decoded(t, &x, 0, offered.AppendTo(nil))
	equal(t, "answer", 0, x.offered, map[protocol.ApiKey]span{protocol.Fetch: {4, 17}})
}

func TestChoose(t *testing.T) {
	f := form{key: protocol.Fetch, versions: []span{{13, 13}, {4, 11}}}
	for _, tc := range []struct {
		offered span
		want    int16
		ok      bool
	}{
		{span{0, 17}, 13, true},
		{span{0, 13}, 13, true},
		{span{0, 12}, 11, true},
		{span{0, 8}, 8, true},
		{span{0, 4}, 4, true},
		{span{0, 3}, 0, false},
		{span{12, 12}, 0, false},
		{span{14, 17}, 0, false},
		{span{9, 2}, 0, false},
	} {
		got, ok := f.choose(map[protocol.ApiKey]span{protocol.Fetch: tc.offered})
		if ok != tc.ok || ok && got != tc.want {
			t.Errorf("%v: got v%d, %v, want v%d, %v", tc.offered, got, ok, tc.want, tc.ok)
		}
	}
	f = form{key: protocol.DescribeConfigs, versions: []span{{0, 3}}}
	if got, ok := f.choose(map[protocol.ApiKey]span{protocol.Fetch: {0, 17}}); ok {
		t.Errorf("of other requests: got v%d, want none", got)
	}
}

func TestTooLongText(t *testing.T) {
	e := encoder{}
	if e.string(string(make([]byte, 1<<15))); e.err == nil || len(e.b) > 0 {
		t.Errorf("got %v and %d bytes, want an error and none", e.err, len(e.b))
	}
}
