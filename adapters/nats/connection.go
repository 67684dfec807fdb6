package nats

import (
	"sync"

	natsgo "github.com/nats-io/nats.go"

	"sidestream/adapters"
)

// A connection is one connection to one server. It is not made again: once it
// is lost, it is closed, and so is all that was made on it.
type connection struct {
	*natsgo.Conn

	// lost is closed when the connection is closed, by whomever.
	lost chan struct{}

	endpoint endpoint
	release  func() // what dialling it took

	mu        sync.Mutex
	listeners map[*listener]bool // guarded by mu
}

type listener struct{ report func(error) }

// listen has report called with each error that the server sends without
// closing the connection, or that the client finds in what it receives, until
// stop is called. Which request it answers is for the listener to find out;
// see [denied]. report must not block, and not call back.
func (c *connection) listen(report func(error)) (stop func()) {
	l := &listener{report}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listeners == nil {
		c.listeners = make(map[*listener]bool)
	}
	c.listeners[l] = true
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.listeners, l)
	}
}

// tell calls the listeners.
func (c *connection) tell(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for l := range c.listeners {
		l.report(err)
	}
}

// close closes the connection and waits until it is. It returns why it was
// closed, if that was not by close.
func (c *connection) close() error {
	var why error
	if c.isLost() {
		why = c.cause()
	}
	c.release()
	c.Conn.Close()
	<-c.lost
	return why
}

func (c *connection) isLost() bool {
	select {
	case <-c.lost:
		return true
	default:
		return false
	}
}

// cause returns why the connection was lost, as Run is to return it.
func (c *connection) cause() error {
	return adapters.Transient(reasonLost, c.Conn.LastError())
}
