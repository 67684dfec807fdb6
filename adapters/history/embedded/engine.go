//go:build !sidestream_noembed

package embedded

import (
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/rs/zerolog"
)

// Bounds of what the server has in memory.
const (
	maxMemory = 16 << 20 // of streams that are kept in memory; consumers don't count
	maxQueued = 32 << 20 // of messages that wait to be stored, a stream
)

// An engine is a running nats-server.
type engine struct {
	server *server.Server
	log    *logger
}

// startEngine starts a server that can be reached from this process only, and
// returns when it has read what is stored.
func startEngine(o Options, log zerolog.Logger) (*engine, error) {
	srv, err := server.NewServer(&server.Options{
		ServerName:             "sidestream",
		DontListen:             true,
		NoSigs:                 true,
		MaxPayload:             MaxMessage,
		JetStream:              true,
		DisableJetStreamBanner: true,
		StoreDir:               o.Dir,
		JetStreamMaxMemory:     maxMemory,
		JetStreamMaxStore:      int64(o.MaxBytes),
		StreamMaxBufferedSize:  maxQueued,
		SyncAlways:             o.SyncInterval == 0,
		SyncInterval:           time.Duration(o.SyncInterval),
	})
	if err != nil {
		return nil, explain(reasonStart, err)
	}
	e := &engine{server: srv, log: newLogger(log)}
	srv.SetLoggerV2(e.log, false, false, false)
	srv.Start()
	if err := e.log.fatal(); err != nil {
		e.stop()
		return nil, explain(reasonStart, err)
	}
	return e, nil
}

// stop stops the server and waits until it has.
func (e *engine) stop() {
	e.server.Shutdown()
	e.server.WaitForShutdown()
}

// unusable returns what the server couldn't open of what is stored. It is to
// be asked before there are clients, who might be making a stream just now.
func (e *engine) unusable() []string {
	var all []string
	for _, p := range e.problems() {
		all = append(all, p.Error)
	}
	return all
}

// health returns an error if the server no longer stores anything, or not in
// one of its streams. It doesn't get better by itself: what could not be
// written once is not tried again by nats-server.
func (e *engine) health() error {
	for _, p := range e.problems() {
		if p.Type != server.HealthzErrorStream || strings.Contains(p.Error, "write error") {
			return errors.New(p.Error)
		}
	}
	return nil
}

// problems returns what the server says of its health. Streams that it is about
// to remove are none of it.
func (e *engine) problems() []server.HealthzError {
	var all []server.HealthzError
	for _, p := range e.examine() {
		if !beingRemoved(p.Stream) {
			all = append(all, p)
		}
	}
	return all
}

// examine asks again where the server says that it isn't ready, and nothing
// else: it does so when it doesn't get to run for a millisecond.
func (e *engine) examine() []server.HealthzError {
	var found []server.HealthzError
	for range 100 {
		found = e.server.Healthz(&server.HealthzOptions{Details: true}).Errors
		if len(found) == 0 || found[0].Type != server.HealthzErrorConn {
			break
		}
	}
	return found
}
