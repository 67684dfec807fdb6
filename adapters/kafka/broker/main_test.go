package broker_test

import (
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"

	"sidestream/adapters"
	"sidestream/adapters/kafka/broker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hidden is part of every secret of these tests.
const hidden = "hunter2"

// options returns options for tests, with what edit changes.
func options(brokers []string, edit func(*broker.Options)) broker.Options {
	o := broker.Options{
		Brokers:        brokers,
		ClientID:       "test",
		ConnectTimeout: 10 * time.Second,
		RequestTimeout: 10 * time.Second,
		MaxResponse:    1 << 20,
		Idle:           4,
		IdleTimeout:    time.Minute,
	}
	if edit != nil {
		edit(&o)
	}
	return o
}

// newCluster returns a cluster that is closed when the test ends.
func newCluster(tb testing.TB, brokers []string, edit func(*broker.Options)) *broker.Cluster {
	tb.Helper()
	c := broker.New(options(brokers, edit))
	tb.Cleanup(c.Close)
	return c
}

// fake starts a cluster of fake brokers: one, if o doesn't say otherwise.
func fake(tb testing.TB, o ...kfake.Opt) *kfake.Cluster {
	tb.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, o...)...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// node returns the broker at an address, as metadata would have it.
func node(tb testing.TB, address string) broker.Node {
	tb.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		tb.Fatal(err)
	}
	n, err := strconv.ParseInt(port, 10, 32)
	if err != nil {
		tb.Fatal(err)
	}
	return broker.Node{Host: host, Port: int32(n)}
}

// connect returns a connection to the broker at an address, which is released
// when the test ends.
func connect(tb testing.TB, c *broker.Cluster, address string) *broker.Conn {
	tb.Helper()
	conn, err := c.Connect(tb.Context(), node(tb, address))
	if err != nil {
		tb.Fatalf("Connect: got %v, want no error", err)
	}
	tb.Cleanup(conn.Release)
	return conn
}

// fails checks that err has a reason and is permanent or not, holds the given
// parts, gives nothing away, and names no address in its reason.
func fails(tb testing.TB, what string, err error, reason string, permanent bool, parts ...string) {
	tb.Helper()
	var u *adapters.UpstreamError
	if !errors.As(err, &u) {
		tb.Fatalf("%s: got %v, want a failure of the upstream: %s", what, err, reason)
	}
	if u.Reason != reason || u.Permanent != permanent {
		tb.Errorf("%s: got %q, permanent: %v (%v), want %q, permanent: %v", what, u.Reason, u.Permanent, err, reason, permanent)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			tb.Errorf("%s: got %q, want it to hold %q", what, err, part)
		}
	}
	if strings.Contains(err.Error(), hidden) {
		tb.Errorf("%s: got %q, want no secret in it", what, err)
	}
}

// eventually waits until a condition holds.
func eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("%s: got it not within 10s, want it", what)
		}
	}
}
