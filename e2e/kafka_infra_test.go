package e2e

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Records of both producers are there, in order, with all that they consist
// of, as kcat reads them.
func TestKafkaRoundTrip(t *testing.T) {
	k := sharedKafka(t)
	topic := k.createTopic(t, topicOptions{partitions: 2})
	when := time.UnixMilli(1_700_000_000_000)
	acks := k.send(t, topic,
		kafkaRecord{Key: []byte("a"), Value: []byte("1"), Headers: []kafkaHeader{{"h", []byte("v")}, {"n", nil}}}.in(0).at(when),
		keyed("a", "2").in(1), keyed("a", "").in(1), kafkaRecord{Key: []byte("b")}.in(1), kafkaRecord{Value: []byte("3")}.in(1))
	want := []kafkaAck{{0, 0, ""}, {1, 0, ""}, {1, 1, ""}, {1, 2, ""}, {1, 3, ""}}
	if !slices.Equal(acks, want) {
		t.Errorf("got acks %v, want %v", acks, want)
	}
	kcatSend(t, k.bootstrap(), topic, []string{"c:4", "c:5"}, "-p", "0", "-H", "by=kcat")

	first := kcatRead(t, k.bootstrap(), topic, "-p", "0")
	if got, want := strings.Join(texts(first), " "), "a=1 c=4 c=5"; got != want {
		t.Fatalf("got %s in partition 0, want %s", got, want)
	}
	if got := first[0]; got.Millis != when.UnixMilli() || len(got.Headers) != 4 || *got.Headers[0] != "h" || *got.Headers[1] != "v" || *got.Headers[2] != "n" || got.Headers[3] != nil {
		t.Errorf("got %+v, want time %v and headers h=v and n without a value", got, when)
	}
	if got, want := strings.Join(texts(kcatRead(t, k.bootstrap(), topic, "-p", "1")), " "), "a=2 a= b=null null=3"; got != want {
		t.Errorf("got %s in partition 1, want %s", got, want)
	}
	if got, want := k.offsets(t, topic), []kafkaRange{{0, 3}, {0, 4}}; !slices.Equal(got, want) {
		t.Errorf("got offsets %v, want %v", got, want)
	}
}

// Every compression that producers have reaches the broker as such, and comes
// back as it was.
func TestKafkaCompression(t *testing.T) {
	k := sharedKafka(t)
	topic := k.createTopic(t, topicOptions{})
	var want []string
	for _, compression := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		value := compression + strings.Repeat("-", 1000)
		k.sendCompressed(t, topic, compression, keyed("java", value), keyed("java", value))
		kcatSend(t, k.bootstrap(), topic, []string{"kcat:" + value}, "-z", compression)
		want = append(want, "java="+value, "java="+value, "kcat="+value)
	}
	if got := texts(kcatRead(t, k.bootstrap(), topic)); !slices.Equal(got, want) {
		t.Errorf("got %.40q, want %.40q", got, want)
	}
}

// Of several transactions that are open at once, only what is committed is
// read, and nothing behind the first that is still open; one that its producer
// has abandoned stays open until that comes back, or the timeout.
func TestKafkaTransactions(t *testing.T) {
	k := sharedKafka(t)
	topic := k.createTopic(t, topicOptions{})
	read := func() string { return strings.Join(texts(kcatRead(t, k.bootstrap(), topic)), " ") }
	a, b := k.begin(t, topic+"-a", time.Minute), k.begin(t, topic+"-b", time.Minute)
	a.send(t, topic, keyed("a", "1"))
	b.send(t, topic, keyed("b", "1"))
	a.send(t, topic, keyed("a", "2"))
	k.send(t, topic, keyed("c", "1"))
	a.abort(t)
	if got, want := read(), ""; got != want {
		t.Errorf("got %q while a transaction is open, want %q", got, want)
	}
	b.commit(t)
	if got, want := read(), "b=1 c=1"; got != want {
		t.Errorf("got %q after a commit and an abort, want %q", got, want)
	}
	a.again(t)
	a.send(t, topic, keyed("a", "3"))
	a.commit(t)
	c := k.begin(t, topic+"-c", time.Minute)
	c.send(t, topic, keyed("c", "2"))
	c.abandon(t)
	k.send(t, topic, keyed("d", "1"))
	if got, want := read(), "b=1 c=1 a=3"; got != want {
		t.Errorf("got %q while a transaction is abandoned, want %q", got, want)
	}
	k.begin(t, topic+"-c", time.Minute).commit(t)
	if got, want := read(), "b=1 c=1 a=3 d=1"; got != want {
		t.Errorf("got %q after its producer came back, want %q", got, want)
	}
}

// A topic's records can be deleted, partitions added, and the topic created
// anew, with another id.
func TestKafkaTopics(t *testing.T) {
	k := sharedKafka(t)
	topic := k.createTopic(t, topicOptions{})
	k.send(t, topic, keyed("a", "1"), keyed("a", "2"), keyed("a", "3"))
	k.deleteRecords(t, topic, 0, 2)
	if got, want := k.offsets(t, topic), []kafkaRange{{2, 3}}; !slices.Equal(got, want) {
		t.Errorf("got offsets %v after the deletion, want %v", got, want)
	}
	k.addPartitions(t, topic, 3)
	k.send(t, topic, keyed("b", "4").in(2))
	if got, want := k.offsets(t, topic), []kafkaRange{{2, 3}, {0, 0}, {0, 1}}; !slices.Equal(got, want) {
		t.Errorf("got offsets %v with more partitions, want %v", got, want)
	}
	before := k.describeTopic(t, topic)
	k.deleteTopic(t, topic)
	k.createTopic(t, topicOptions{name: topic})
	after := k.describeTopic(t, topic)
	if before.ID == after.ID || len(after.Partitions) != 1 {
		t.Errorf("got %v after %v, want another id and one partition", after, before)
	}
}

// Compaction leaves the newest record of each key, and nothing of a key with a
// tombstone; retention leaves nothing that is too old.
func TestKafkaCleaning(t *testing.T) {
	k := sharedKafka(t)
	compact := k.createTopic(t, topicOptions{configs: compacted})
	for range 3 {
		k.send(t, compact, keyed("a", "old"), keyed("b", "old"), kafkaRecord{Key: []byte("b")}, keyed("a", "new"))
	}
	waitFor(t, 2*patience, "a compacted topic", func() (any, bool) {
		k.send(t, compact, keyed("tick", "")) // rolls the segment, once it is old enough
		got := strings.Join(texts(kcatRead(t, k.bootstrap(), compact)), " ")
		return got, strings.HasPrefix(got, "a=new tick=")
	})
	aged := k.createTopic(t, topicOptions{})
	k.send(t, aged, keyed("a", "1").at(time.Now().Add(-2*time.Hour)))
	k.configureTopic(t, aged, map[string]string{"retention.ms": "3600000"})
	waitFor(t, 2*patience, "no old record", func() (any, bool) {
		got := k.offsets(t, aged)
		return got, got[0].Earliest == 1
	})
}

// Records in bulk are numbered, and each is acknowledged where it is.
func TestKafkaBulk(t *testing.T) {
	k := sharedKafka(t)
	topic := k.createTopic(t, topicOptions{partitions: 3})
	fast := k.startBulk(t, topic, bulkOptions{Count: 1000, Keys: 10, Size: 100, Compression: "lz4"})
	if stored, failed := fast.wait(t); stored != 1000 || failed != 0 {
		t.Errorf("got %d stored and %d failed, want 1000 and none", stored, failed)
	}
	at := map[[2]int64]int64{}
	for _, a := range fast.acknowledged() {
		at[[2]int64{int64(a.Partition), a.Offset}] = a.N
	}
	records := kcatRead(t, k.bootstrap(), topic)
	for _, r := range records {
		var v struct {
			N   int64
			Pad string
		}
		if err := json.Unmarshal([]byte(*r.Value), &v); err != nil || len(*r.Value) != 100 {
			t.Fatalf("got value %q (%v), want 100 bytes of JSON", *r.Value, err)
		}
		if n, ok := at[[2]int64{int64(r.Partition), r.Offset}]; !ok || n != v.N || *r.Key != fmt.Sprintf("k%d", n%10) {
			t.Fatalf("got record %s at %d/%d, want what was acknowledged there, no. %d", r.text(), r.Partition, r.Offset, n)
		}
	}
	if len(records) != 1000 || len(at) != 1000 {
		t.Errorf("got %d records and %d acks, want 1000", len(records), len(at))
	}
	steady := k.startBulk(t, topic, bulkOptions{Size: 50, Rate: 200})
	wait(t, "some acks", func() (any, bool) { return len(steady.acknowledged()), len(steady.acknowledged()) >= 20 })
	stored, failed := steady.stop(t)
	if acks := len(steady.acknowledged()); stored != int64(acks) || failed != 0 {
		t.Errorf("got %d stored and %d failed, want %d and none", stored, failed, acks)
	}
}

// A node that is killed comes back with all that was acknowledged; one that
// stands still, with its connections open, goes on.
func TestKafkaNodeKilled(t *testing.T) {
	c := startKafka(t, kafkaOptions{})
	topic := c.createTopic(t, topicOptions{})
	c.send(t, topic, keyed("a", "1"))
	c.node(1).restart(t)
	c.send(t, topic, keyed("a", "2"))
	c.node(1).pause(t)
	if _, err := tryKcat(t.Context(), "", "-L", "-b", c.bootstrap(), "-t", topic, "-m", "1"); err == nil {
		t.Error("got an answer of a node that stands still, want none")
	}
	c.node(1).resume(t)
	c.send(t, topic, keyed("a", "3"))
	c.node(1).stop(t)
	c.node(1).start(t)
	c.awaitStarted(t)
	if got, want := strings.Join(texts(kcatRead(t, c.bootstrap(), topic)), " "), "a=1 a=2 a=3"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A cluster of three moves leaders when it is asked to, and goes on without
// any one of its nodes, the one that controls it too.
func TestKafkaCluster(t *testing.T) {
	c := startKafka(t, kafkaOptions{nodes: 3, racks: []string{"a", "b", "c"}})
	topic := c.createTopic(t, topicOptions{partitions: 3})
	c.send(t, topic, keyed("a", "0").in(0))
	before := c.describeTopic(t, topic).Partitions[0].Leader
	after := c.moveLeader(t, topic, 0)
	if got := c.describeTopic(t, topic).Partitions[0].Leader; got != after || got == before {
		t.Errorf("got leader %d, want %d and not %d", got, after, before)
	}
	alone := c.createTopic(t, topicOptions{replication: 1})
	leader := c.describeTopic(t, alone).Partitions[0].Leader
	c.send(t, alone, keyed("b", "0"))
	c.reassign(t, alone, 0, leader%3+1)
	if got := c.describeTopic(t, alone).Partitions[0]; !slices.Equal(got.Replicas, []int{leader%3 + 1}) {
		t.Errorf("got %v, want it on node %d alone", got, leader%3+1)
	}

	for i, n := range c.nodes {
		n.kill()
		c.send(t, topic, keyed("a", strconv.Itoa(i+1)).in(0))
		n.start(t)
		n.awaitStarted(t)
		c.awaitInSync(t, topic)
	}
	if got, want := strings.Join(texts(kcatRead(t, c.bootstrap(), topic)), " "), "a=0 a=1 a=2 a=3"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Who knows the password, or has a token or certificate, is let in by each
// listener and mechanism, and nobody else.
func TestKafkaSecure(t *testing.T) {
	c := startKafka(t, kafkaOptions{secure: true})
	topic := c.createTopic(t, topicOptions{})
	var want []string
	for _, login := range []struct{ listener, mechanism string }{
		{saslListener, "PLAIN"},
		{saslListener, "SCRAM-SHA-256"},
		{saslListener, "OAUTHBEARER"},
		{saslTLSListener, "PLAIN"},
		{saslTLSListener, "SCRAM-SHA-512"},
		{saslTLSListener, "OAUTHBEARER"},
		{tlsListener, ""},
		{mutualListener, ""},
	} {
		brokers, name := c.addresses(login.listener), login.listener+" "+login.mechanism
		c.with(brokers, c.certs.javaLogin(login.listener, login.mechanism)).send(t, topic, keyed("java", name))
		want = append(want, "java="+name)
		if !strings.HasPrefix(login.mechanism, "SCRAM-") { // see kcatLogin
			kcatSend(t, brokers[0], topic, []string{"kcat:" + name}, c.certs.kcatLogin(login.listener, login.mechanism)...)
			want = append(want, "kcat="+name)
		}
	}
	if got := texts(kcatRead(t, c.bootstrap(), topic)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}

	for lifetime, want := range map[time.Duration]bool{time.Minute: true, -time.Minute: false} {
		if got := takesToken(t, c.addresses(saslListener)[0], unsecuredToken(t, kafkaUser, lifetime)); got != want {
			t.Errorf("got %v for a token that is good for %v, want %v", got, lifetime, want)
		}
	}

	for _, refused := range []struct {
		listener string
		args     []string
	}{
		{saslListener, nil},
		{saslListener, append(c.certs.kcatLogin(saslListener, "PLAIN"), "-X", "sasl.password=wrong")},
		{tlsListener, nil},
		{mutualListener, c.certs.kcatLogin(tlsListener, "")},
	} {
		args := append([]string{"-L", "-m", "1", "-b", c.addresses(refused.listener)[0]}, refused.args...)
		if out, err := tryKcat(t.Context(), "", args...); err == nil {
			t.Errorf("kcat %q: got %s, want it refused", args, out)
		}
	}
}

// What is sent to the mock cluster can be read from it.
func TestMockKafka(t *testing.T) {
	m := startMockKafka(t)
	kcatSend(t, m.bootstrap(), "topic", []string{"a:1", "a:2"}, "-p", "0")
	if got, want := strings.Join(texts(kcatRead(t, m.bootstrap(), "topic")), " "), "a=1 a=2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// takesToken reports whether a broker lets in who has that token, asked in
// Kafka's own protocol (KIP-43, KIP-152, RFC 7628).
func takesToken(tb testing.TB, address, token string) bool {
	tb.Helper()
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	ask := func(api, version uint16, body []byte) []byte {
		request := binary.BigEndian.AppendUint16(nil, api)
		request = binary.BigEndian.AppendUint16(request, version)
		request = append(request, 0, 0, 0, 1, 0xff, 0xff) // the number of the request, and no name of the client
		request = append(request, body...)
		if _, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(request))), request...)); err != nil {
			tb.Fatal(err)
		}
		var size [4]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			tb.Fatal(err)
		}
		answer := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(conn, answer); err != nil {
			tb.Fatal(err)
		}
		return answer[4:]
	}
	const mechanism = "OAUTHBEARER"
	ask(17, 1, append(binary.BigEndian.AppendUint16(nil, uint16(len(mechanism))), mechanism...))
	message := "n,,\x01auth=Bearer " + token + "\x01\x01"
	answer := ask(36, 0, append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...))
	// No error, an empty text, and no challenge, which would say what is wrong.
	return bytes.Equal(answer, make([]byte, 8))
}
