package proxy

import (
	"context"
	"fmt"
	"net"
)

// Listeners are where a server is reached.
type Listeners struct {
	Public []net.Listener
	Ingest []IngestListener
	Admin  net.Listener // nil for none
}

// Listen opens the listeners that config names.
func Listen(ctx context.Context, config *Config) (l Listeners, err error) {
	defer func() {
		if err != nil {
			l.close()
			l = Listeners{}
		}
	}()
	var lc net.ListenConfig
	for _, addr := range config.Listen {
		ln, err := lc.Listen(ctx, "tcp", addr)
		if err != nil {
			return l, fmt.Errorf("listen: %w", err)
		}
		l.Public = append(l.Public, ln)
	}
	for _, at := range config.ingestAddresses() {
		ln, err := lc.Listen(ctx, "tcp", at.address)
		if err != nil {
			return l, fmt.Errorf("listen for requests that bring events: %w", err)
		}
		l.Ingest = append(l.Ingest, IngestListener{ln, at})
	}
	if config.Admin != "" && config.Admin != "off" {
		if l.Admin, err = lc.Listen(ctx, "tcp", config.Admin); err != nil {
			return l, fmt.Errorf("admin: %w", err)
		}
	}
	return l, nil
}

func (l Listeners) close() {
	for _, ln := range l.Public {
		_ = ln.Close()
	}
	for _, ln := range l.Ingest {
		_ = ln.Close()
	}
	if l.Admin != nil {
		_ = l.Admin.Close()
	}
}
