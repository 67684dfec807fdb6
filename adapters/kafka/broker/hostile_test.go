package broker_test

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sidestream/adapters/kafka/broker"
)

// answering returns what a server does that reads a request and says something,
// whatever the request is.
func answering(text string) func(net.Conn) {
	return func(conn net.Conn) {
		if _, _, err := receive(conn); err == nil {
			io.WriteString(conn, text)
			io.Copy(io.Discard, conn)
		}
	}
}

// TestNotABroker connects to what isn't one. It must say so soon, without
// allocating what anybody claims.
func TestNotABroker(t *testing.T) {
	noise := make([]byte, 1<<20)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	noise[0] = 0x7f
	size := func(n uint32, rest string) string {
		return string(binary.BigEndian.AppendUint32(nil, n)) + rest
	}
	for _, tc := range []struct {
		name   string
		handle func(net.Conn)
		reason string
		part   string
	}{
		{"HTTP", answering("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nhunter2"), "not a Kafka broker", ""},
		{"TLS", answering("\x15\x03\x03\x00\x02\x02\x46"), "Kafka wants TLS", "alert of TLS"},
		{"SSH", answering("SSH-2.0-OpenSSH_9.6\r\n"), "not a Kafka broker", ""},
		{"noise", answering(string(noise)), "not a Kafka broker", ""},
		{"the longest frame", answering(size(1<<31-1, "")), "not a Kafka broker", ""},
		{"a frame that is too long", answering(size(64<<10+1, "")), "not a Kafka broker", ""},
		{"a frame of negative length", answering(size(1<<32-1, "")), "not a Kafka broker", ""},
		{"an empty frame", answering(size(0, "")), "not a Kafka broker", ""},
		{"another correlation", answering(size(100, "\x00\x00\x00\x07")), "not a Kafka broker", ""},
		{"no versions", answering(size(10, "\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00")), "not a Kafka broker", ""},
		{"more versions than bytes", answering(size(10, "\x00\x00\x00\x01\x00\x00\x7f\xff\xff\xff")), "not a Kafka broker", ""},
		{"an error", answering(size(10, "\x00\x00\x00\x01\x00\x23\x00\x00\x00\x00")), "Kafka does not offer a version of the protocol that is known", ""},
		{"half an answer", func(conn net.Conn) {
			receive(conn)
			io.WriteString(conn, size(100, "\x00\x00\x00\x01\x00"))
		}, "connection to Kafka lost", "unexpected EOF"},
		{"silence", func(conn net.Conn) { io.Copy(io.Discard, conn) }, "Kafka does not answer in time", ""},
		{"silence after a while", answering(size(100, "\x00\x00\x00\x01\x00")), "Kafka does not answer in time", ""},
		{"closes at once", func(net.Conn) {}, "connection to Kafka lost", ""},
		{"closes after the request", func(conn net.Conn) { receive(conn) }, "connection to Kafka lost", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			address := serve(t, tc.handle)
			c := newCluster(t, []string{address}, func(o *broker.Options) {
				o.MaxResponse = 1 << 30
				if strings.HasPrefix(tc.name, "silence") {
					o.ConnectTimeout = 50 * time.Millisecond
				}
			})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err := c.Connect(t.Context(), node(t, address))
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			permanent := strings.Contains(tc.reason, "version")
			fails(t, "Connect", err, tc.reason, permanent, "connect to "+address, tc.part)
			_, err = c.Metadata(t.Context(), nil)
			fails(t, "Metadata", err, tc.reason, permanent, "connect to "+address, tc.part)
			if took > 5*time.Second {
				t.Errorf("got it after %v, want it sooner", took)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 { // noise is sent within this process
				t.Errorf("got %d bytes allocated, want less", got)
			}
		})
	}
}

// TestHTTPServer connects to a real one.
func TestHTTPServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: 100 * time.Millisecond}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	defer func() {
		server.Close()
		<-done
	}()
	address := listener.Addr().String()
	c := newCluster(t, []string{address}, nil)
	if _, err := c.Connect(t.Context(), node(t, address)); err == nil {
		t.Error("got no error, want one")
	}
}

// TestBadAnswers has a broker that was fine until it is asked for something.
func TestBadAnswers(t *testing.T) {
	for _, tc := range []struct {
		name      string
		answer    func(correlation int32) []byte // nil: none
		reason    string
		permanent bool
	}{
		{"too large", func(int32) []byte { return []byte("\x00\x10\x00\x01") }, "Kafka's answer is too large", true},
		{"negative", func(int32) []byte { return []byte("\xff\x10\x00\x01") }, "Kafka's answer is malformed", false},
		{"another correlation", func(id int32) []byte { return frame(id+1, kmsg.NewPtrListOffsetsResponse()) }, "Kafka's answer is malformed", false},
		{"cut off", func(id int32) []byte {
			b := binary.BigEndian.AppendUint32(nil, 8)
			b = binary.BigEndian.AppendUint32(b, uint32(id))
			return append(b, 0, 0, 0, 1)
		}, "Kafka's answer is malformed", false},
		{"more elements than bytes", func(id int32) []byte {
			b := binary.BigEndian.AppendUint32(nil, 12)
			b = binary.BigEndian.AppendUint32(b, uint32(id))
			return append(b, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff)
		}, "Kafka's answer is malformed", false},
		{"none", nil, "Kafka does not answer in time", false},
		{"hangs up", func(int32) []byte { return []byte{} }, "connection to Kafka lost", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			address := serve(t, func(conn net.Conn) {
				_, id, _ := receive(conn)
				conn.Write(frame(id, allVersions(nil)))
				_, id, _ = receive(conn)
				if tc.answer == nil {
					io.Copy(io.Discard, conn)
					return
				}
				if b := tc.answer(id); len(b) > 0 {
					conn.Write(b)
					io.Copy(io.Discard, conn)
				}
			})
			c := newCluster(t, []string{address}, func(o *broker.Options) {
				if tc.answer == nil {
					o.RequestTimeout = 50 * time.Millisecond
				}
			})
			conn := connect(t, c, address)
			at := []broker.OffsetRequest{{Topic: "a", Time: broker.Latest}}
			_, err := conn.ListOffsets(t.Context(), false, at)
			fails(t, "ListOffsets", err, tc.reason, tc.permanent, "ListOffsets of "+address)
			_, err = conn.ListOffsets(t.Context(), false, at)
			fails(t, "ListOffsets once more", err, "connection to Kafka lost", false)
		})
	}
}

// TestLargestAnswer has an answer that is as large as one may be.
func TestLargestAnswer(t *testing.T) {
	records := bytes.Repeat([]byte("x"), 1<<20-8-4-6-(4+2+4)-(2+1+4)-(4+2+8+8+8+4+4+4))
	for extra, reason := range map[int]string{0: "", 1: "Kafka's answer is too large"} {
		response := kmsg.NewPtrFetchResponse()
		response.Version = 11
		p := kmsg.NewFetchResponseTopicPartition()
		p.RecordBatches = records
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic, topic.Partitions = "a", []kmsg.FetchResponseTopicPartition{p}
		response.Topics = []kmsg.FetchResponseTopic{topic}
		size := len(frame(1, response)) - 4
		address := serve(t, func(conn net.Conn) {
			talk(conn, func(kmsg.Request) kmsg.Response { return response })
		})
		c := newCluster(t, []string{address}, func(o *broker.Options) { o.MaxResponse = size - extra })
		got, err := connect(t, c, address).Fetch(t.Context(), &broker.FetchRequest{Partitions: []broker.FetchPartition{{Topic: "a"}}})
		if reason != "" {
			fails(t, "Fetch", err, reason, true)
		} else if err != nil || len(got.Partitions) != 1 || !bytes.Equal(got.Partitions[0].Records, records) {
			t.Errorf("got %v, want all records", err)
		}
	}
}
