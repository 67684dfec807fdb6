package proxy

import (
	"net/http"
	"net/url"
	"sync"
)

// transports are those to applications: one for each socket that a table has
// named, and one for all others.
type transports struct {
	mu       sync.Mutex
	bySocket map[string]*http.Transport // guarded by mu; "" is that of all others
}

// to returns the transport to an application.
func (t *transports) to(app *url.URL) *http.Transport {
	socket := socketOf(app)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bySocket[socket] == nil {
		if t.bySocket == nil {
			t.bySocket = map[string]*http.Transport{}
		}
		t.bySocket[socket] = newTransport(socket)
	}
	return t.bySocket[socket]
}

// closeIdle closes the connections that nobody uses.
func (t *transports) closeIdle() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, each := range t.bySocket {
		each.CloseIdleConnections()
	}
}
