package broker_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sidestream/adapters/kafka/broker"
	"sidestream/adapters/secret"
	"sidestream/adapters/tlsfiles"
)

// TestCancel ends a context while a server keeps the client waiting, at each
// moment at which it can.
func TestCancel(t *testing.T) {
	// after says what versions it has, and to the next request something, and no
	// more.
	after := func(last string) func(net.Conn, func()) {
		return func(conn net.Conn, reached func()) {
			talk(conn, func(kmsg.Request) kmsg.Response { return nil }) // only versions
			io.WriteString(conn, last)
			reached()
			io.Copy(io.Discard, conn)
		}
	}
	silent := func(conn net.Conn, reached func()) {
		conn.Read(make([]byte, 1))
		reached()
		io.Copy(io.Discard, conn)
	}
	connect := func(ctx context.Context, c *broker.Cluster, n broker.Node) error {
		conn, err := c.Connect(ctx, n)
		if err == nil {
			conn.Release()
		}
		return err
	}
	fetch := func(ctx context.Context, c *broker.Cluster, n broker.Node) error {
		conn, err := c.Connect(ctx, n)
		if err != nil {
			return err
		}
		defer conn.Release()
		_, err = conn.Fetch(ctx, &broker.FetchRequest{MaxWait: time.Hour, Partitions: []broker.FetchPartition{{Topic: "a"}}})
		return err
	}
	metadata := func(ctx context.Context, c *broker.Cluster, _ broker.Node) error {
		_, err := c.Metadata(ctx, nil)
		return err
	}
	withTLS := func(o *broker.Options) {
		files := tlsfiles.Defaults()
		files.InsecureSkipVerify = true
		o.TLS = tlsfiles.New("tls", files)
	}
	withSASL := func(o *broker.Options) {
		o.SASL = broker.SASL{
			Mechanism: broker.Plain,
			User:      secret.NewReader("user", secret.Text("app")),
			Password:  secret.NewReader("password", secret.Text(hidden)),
		}
	}
	for _, tc := range []struct {
		name   string
		edit   func(*broker.Options)
		handle func(conn net.Conn, reached func())
		do     func(context.Context, *broker.Cluster, broker.Node) error
	}{
		{"TLS", withTLS, silent, connect},
		{"versions", nil, silent, connect},
		{"SASL", withSASL, after(""), connect},
		{"within SASL", withSASL, after("\x00\x00\x00"), connect},
		{"request", nil, after(""), fetch},
		{"within an answer", nil, after("\x00\x00\x01\x00\x00\x00\x00\x02\x00"), fetch},
		{"metadata", nil, after(""), metadata},
		{"connecting for metadata", nil, silent, metadata},
	} {
		for _, deadline := range []bool{false, true} {
			name, want := tc.name, context.Canceled
			if deadline {
				name, want = name+" by deadline", context.DeadlineExceeded
			}
			t.Run(name, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				reached := cancel
				if deadline {
					ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
					defer cancel()
					reached = func() {}
				}
				address := serve(t, func(conn net.Conn) { tc.handle(conn, reached) })
				c := newCluster(t, []string{address}, tc.edit)
				start := time.Now()
				if err := tc.do(ctx, c, node(t, address)); !errors.Is(err, want) {
					t.Errorf("got %v, want %v", err, want)
				}
				if took := time.Since(start); took > 5*time.Second {
					t.Errorf("got it after %v, want it at once", took)
				}
			})
		}
	}
}

// TestCancelBefore asks with a context that is done.
func TestCancelBefore(t *testing.T) {
	k := fake(t)
	c := newCluster(t, k.ListenAddrs(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Connect(ctx, node(t, k.ListenAddrs()[0])); !errors.Is(err, context.Canceled) {
		t.Errorf("Connect: got %v, want %v", err, context.Canceled)
	}
	if _, err := c.Metadata(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Metadata: got %v, want %v", err, context.Canceled)
	}
	conn := connect(t, c, k.ListenAddrs()[0])
	if _, err := conn.ListOffsets(ctx, false, []broker.OffsetRequest{{Topic: "a"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("ListOffsets: got %v, want %v", err, context.Canceled)
	}
	if _, err := conn.ListOffsets(t.Context(), false, []broker.OffsetRequest{{Topic: "a"}}); err == nil {
		t.Error("after a request that was cancelled: got no error, want one")
	}
}

// TestCancelAfter ends a context when the answer is there: the connection is as
// good as before.
func TestCancelAfter(t *testing.T) {
	k := fake(t)
	c := newCluster(t, k.ListenAddrs(), nil)
	conn := connect(t, c, k.ListenAddrs()[0])
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := conn.TopicConfig(ctx, "a", "b"); err == nil {
			t.Fatal("got no error, want that the topic is unknown")
		} else if errors.Is(err, context.Canceled) {
			t.Fatalf("got %v, want that the topic is unknown", err)
		}
		cancel()
	}
}
