package kafka

import (
	"context"
	"time"

	"sidestream/adapters/httpclient"
	"sidestream/adapters/kafka/broker"
	"sidestream/adapters/secret"
	"sidestream/adapters/tlsfiles"
)

// broker returns the options as connections take them, and what closes the
// connections to an authorization server, once no broker is connected to any
// more. The options must have been checked. It does no I/O.
func (o *Options) broker() (options broker.Options, closeTokens func()) {
	c := &o.Connection
	sasl, closeTokens := c.SASL.broker()
	options = broker.Options{
		Brokers:        c.addresses(),
		ClientID:       c.ClientID,
		SASL:           sasl,
		ConnectTimeout: time.Duration(c.ConnectTimeout),
		RequestTimeout: time.Duration(c.RequestTimeout),
		MaxResponse:    int(o.Fetch.MaxResponse),
		Idle:           c.Idle.Connections,
		IdleTimeout:    time.Duration(c.Idle.Timeout),
	}
	if c.TLS.on() {
		options.TLS = tlsfiles.New("tls", c.TLS.Files)
	}
	return options, closeTokens
}

func (o *SASL) broker() (options broker.SASL, closeTokens func()) {
	options = broker.SASL{
		Mechanism:   broker.Mechanism(o.Mechanism),
		User:        secret.NewReader("sasl.user", o.User),
		Password:    secret.NewReader("sasl.password", o.Password),
		Replaceable: o.User.File != "" || o.Password.File != "",
		Extensions:  o.Extensions,
	}
	switch {
	case o.Mechanism != mechanismOAuthBearer:
	case o.OAuth2.on():
		tokens := httpclient.NewTokens("sasl.oauth2", o.OAuth2.OAuth2, o.OAuth2.TLS, o.OAuth2.Proxy)
		options.Token = tokens.Token
		return options, tokens.Close
	default:
		token := secret.NewReader("sasl.token", o.Token)
		options.Token = func(context.Context) (string, error) { return token.Read() }
	}
	return options, func() {}
}
