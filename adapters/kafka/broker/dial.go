package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"sidestream/adapters"
)

// Keep-alive finds out within half a minute that the other side of an idle
// connection is gone.
const (
	keepAliveIdle     = 15 * time.Second
	keepAliveInterval = 5 * time.Second
	keepAliveCount    = 3
)

// A dialer makes connections. It is safe for concurrent use.
type dialer struct{ options Options }

// dial returns a connection to a broker that is ready for requests, or a
// classified error, unless ctx is done: then it is ctx's.
func (d *dialer) dial(ctx context.Context, address string) (*link, error) {
	limited, cancel := context.WithTimeout(ctx, d.options.ConnectTimeout)
	defer cancel()
	l, err := d.connect(limited, address)
	switch {
	case err == nil:
		return l, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("connect to %s: %w", address, ctx.Err())
	default:
		return nil, within("connect to "+address, err)
	}
}

func (d *dialer) connect(ctx context.Context, address string) (*link, error) {
	l := &link{
		address:  address,
		clientID: d.options.ClientID,
		limit:    min(maxHandshake, d.options.MaxResponse),
		session:  session{options: &d.options.SASL},
	}
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: keepAliveIdle, Interval: keepAliveInterval, Count: keepAliveCount,
	}}
	var err error
	if l.raw, err = dialer.DialContext(ctx, "tcp", address); err != nil {
		return nil, err
	}
	l.conn = l.raw
	if err := d.prepare(ctx, l); err != nil {
		l.close()
		return nil, err
	}
	l.limit = d.options.MaxResponse
	return l, nil
}

// prepare does all that comes before the first request.
func (d *dialer) prepare(ctx context.Context, l *link) error {
	if d.options.TLS == nil {
		l.suspicion = "it may want TLS"
	} else if err := d.secure(ctx, l); err != nil {
		return err
	}
	if err := l.learnVersions(ctx, d.options.ConnectTimeout); err != nil {
		return err
	}
	if d.options.SASL.Mechanism == "" {
		l.suspicion = "it may want SASL"
		return nil
	}
	return l.authenticate(ctx, d.options.ConnectTimeout)
}

// secure does the handshake of TLS.
func (d *dialer) secure(ctx context.Context, l *link) error {
	config, err := d.options.TLS.Config()
	if err != nil {
		return err
	}
	config = config.Clone()
	if config.ServerName == "" {
		config.ServerName, _, err = net.SplitHostPort(l.address)
		if err != nil {
			return err
		}
	}
	conn := tls.Client(l.raw, config)
	err = conn.HandshakeContext(ctx)
	l.conn = conn
	var record tls.RecordHeaderError
	if errors.As(err, &record) { // which has the connection in it
		err = errors.New(record.Msg)
	}
	switch {
	case err == nil:
		return nil
	case record.Msg != "", isLost(err): // it speaks something else, or hung up on what it took for something else
		return adapters.Transient(reasonTLS, err)
	default:
		return fmt.Errorf("TLS: %w", err)
	}
}
