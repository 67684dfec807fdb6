package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A kafkaClient does to a cluster, by Kafka's own client, what a test asks
// for. Methods that take a testing.TB fail the test where that can't be done.
// Safe for concurrent use.
type kafkaClient struct {
	brokers    []string          // host:port of each node, to begin with
	properties map[string]string // of the client: brokers, and what it needs to be let in
	driver     *kafkaDriver
}

// newKafkaClient returns a client of the cluster at those addresses. It
// connects when it is used.
func newKafkaClient(tb testing.TB, brokers []string) *kafkaClient {
	tb.Helper()
	driver, err := startKafkaDriver()
	if err != nil {
		tb.Fatal(err)
	}
	return &kafkaClient{
		brokers:    brokers,
		properties: map[string]string{"bootstrap.servers": strings.Join(brokers, ",")},
		driver:     driver,
	}
}

// with returns a client of the cluster at other addresses, with further
// properties, as one that has to log in.
func (k *kafkaClient) with(brokers []string, properties map[string]string) *kafkaClient {
	other := &kafkaClient{brokers: brokers, properties: maps.Clone(properties), driver: k.driver}
	other.properties["bootstrap.servers"] = strings.Join(brokers, ",")
	return other
}

// bootstrap returns the addresses as Kafka's own tools want them.
func (k *kafkaClient) bootstrap() string { return strings.Join(k.brokers, ",") }

// forget closes what is open to a cluster that is about to end.
func (k *kafkaClient) forget(tb testing.TB) {
	tb.Helper()
	k.do(tb, map[string]any{"op": "forget"}, nil)
}

// do has the driver do something, and fails the test if it can't.
func (k *kafkaClient) do(tb testing.TB, op, answer any) {
	tb.Helper()
	if err := k.try(context.Background(), op, answer); err != nil { // also while the test is cleaned up
		tb.Fatal(err)
	}
}

// try has the driver do something, in a session of its own.
func (k *kafkaClient) try(ctx context.Context, op, answer any) error {
	s, err := k.driver.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.ask(ctx, k, op, answer)
}

// A kafkaDriver is a process of Driver.java, which serves all tests of the
// binary.
type kafkaDriver struct{ socket, log string }

// driverTimeout bounds what is asked of a driver. The driver gives up sooner.
const driverTimeout = 90 * time.Second

// startKafkaDriver starts the driver if there is none. It doesn't wait until
// the driver listens.
var startKafkaDriver = sync.OnceValues(func() (*kafkaDriver, error) {
	dir, err := os.MkdirTemp("", "sidestream-kafka-")
	if err != nil {
		return nil, err
	}
	d := &kafkaDriver{socket: filepath.Join(dir, "socket"), log: filepath.Join(dir, "log")}
	return d, startJava(d.log, "Driver", "256m", d.socket, dir)
})

// open opens a session, once the driver listens.
func (d *kafkaDriver) open(ctx context.Context) (*driverSession, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", d.socket)
		if err == nil {
			return &driverSession{UnixConn: conn.(*net.UnixConn), lines: bufio.NewReader(conn)}, nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			written, _ := os.ReadFile(d.log)
			return nil, fmt.Errorf("connect to the driver of Kafka: %w, %w\n%s", ctx.Err(), err, written)
		}
	}
}

// A driverSession is a connection to the driver. What is asked of it is done
// one after the other.
type driverSession struct {
	*net.UnixConn
	lines *bufio.Reader
}

// ask has the driver do something by a client like k, and waits for the answer.
func (s *driverSession) ask(ctx context.Context, k *kafkaClient, op, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, driverTimeout)
	defer cancel()
	return s.do(ctx, k, op, answer, nil)
}

// do has the driver do something by a client like k, however long it takes.
// What precedes that is handed to part. A context that is done leaves the
// session unusable.
func (s *driverSession) do(ctx context.Context, k *kafkaClient, op, answer any, part func(json.RawMessage) error) error {
	request, err := json.Marshal(map[string]any{"client": k.properties, "op": op})
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = s.SetDeadline(time.Unix(1, 0)) })()
	if _, err := s.Write(append(request, '\n')); err != nil {
		return fmt.Errorf("ask the driver of Kafka: %w", err)
	}
	for {
		line, err := s.lines.ReadBytes('\n')
		if err != nil {
			return fmt.Errorf("driver of Kafka asked for %.200s: %w", request, errors.Join(context.Cause(ctx), err))
		}
		var m struct {
			Ack, Done json.RawMessage
			Error     *string
		}
		if err := json.Unmarshal(line, &m); err != nil {
			return fmt.Errorf("driver of Kafka: %w in %.200q", err, line)
		}
		switch {
		case m.Error != nil:
			return fmt.Errorf("driver of Kafka asked for %.200s: %s", request, *m.Error)
		case m.Done != nil && answer != nil:
			return json.Unmarshal(m.Done, answer)
		case m.Done != nil:
			return nil
		case part != nil:
			if err := part(m.Ack); err != nil {
				return err
			}
		}
	}
}
