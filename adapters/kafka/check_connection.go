package kafka

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"sidestream/adapters"
	"sidestream/adapters/httpclient"
	"sidestream/adapters/secret"
)

func (o *Connection) check(c *adapters.OptionErrors) {
	o.checkBrokers(c)
	odd := strings.ContainsFunc(o.ClientID, func(r rune) bool { return !nameRune(r) })
	c.Refuse(o.ClientID == "" || len(o.ClientID) > maxName || odd, "client_id", "it is letters, digits, dots, - and _, from 1 to %d of them", maxName)
	c.Refuse(len(o.Rack) > maxName || strings.ContainsFunc(o.Rack, unicode.IsControl), "rack", "it is one line of at most %d bytes", maxName)
	o.TLS.Files.Check(c, "tls")
	o.SASL.check(c)
	adapters.Within(c, "connect_timeout", o.ConnectTimeout, adapters.Duration(minTimeout), adapters.Duration(maxTimeout))
	adapters.Within(c, "request_timeout", o.RequestTimeout, adapters.Duration(minTimeout), adapters.Duration(maxTimeout))
	adapters.Within(c, "idle.connections", o.Idle.Connections, 0, maxIdle)
	adapters.Within(c, "idle.timeout", o.Idle.Timeout, adapters.Duration(minIdleTime), adapters.Duration(maxIdleTime))
}

func (o *Connection) checkBrokers(c *adapters.OptionErrors) {
	c.Refuse(len(o.Brokers) == 0, "brokers", "is empty; write at least one, such as kafka:%s", defaultPort)
	count := 0
	for i, text := range o.Brokers {
		for _, address := range splitBrokers(text) {
			_, err := parseAddress(address)
			c.Refuse(err != nil, fmt.Sprintf("brokers[%d]", i), "%w", err)
			count++
		}
	}
	c.Refuse(count > maxBrokers, "brokers", "there are %d; the most is %d, and a few are enough", count, maxBrokers)
}

// addresses returns the brokers to begin with as host:port, none twice. The
// options must have been checked.
func (o *Connection) addresses() []string {
	var list []string
	for _, text := range o.Brokers {
		for _, part := range splitBrokers(text) {
			if address, err := parseAddress(part); err == nil && !slices.Contains(list, address) {
				list = append(list, address)
			}
		}
	}
	return list
}

func (o *SASL) check(c *adapters.OptionErrors) {
	used := o.used()
	if o.Mechanism == "" {
		c.Refuse(len(used) > 0, "sasl.mechanism", "is needed with sasl.%s; it is one of %s", strings.Join(used, ", sasl."), strings.Join(o.Mechanism.Values(), ", "))
		return
	}
	c.OneOf("sasl.mechanism", string(o.Mechanism), o.Mechanism.Values()...)
	if !slices.Contains(o.Mechanism.Values(), string(o.Mechanism)) {
		return // what goes with it isn't known
	}
	wanted := []string{"user", "password"}
	if o.Mechanism == mechanismOAuthBearer {
		wanted = []string{"token", "oauth2", "extensions"}
	}
	for _, name := range used {
		c.Refuse(!slices.Contains(wanted, name), "sasl."+name, "has no effect with %s, which takes %s", o.Mechanism, strings.Join(wanted, ", "))
	}
	if o.Mechanism == mechanismOAuthBearer {
		o.checkBearer(c)
		return
	}
	for path, v := range map[string]secret.Value{"sasl.user": o.User, "sasl.password": o.Password} {
		c.Refuse(v.IsEmpty(), path, "is needed with %s", o.Mechanism)
		c.Refuse(strings.Contains(v.Reveal(), "\x00"), path, "it holds a NUL, which would end it")
	}
}

// used returns the names of what is configured beside the mechanism.
func (o *SASL) used() []string {
	var list []string
	add := func(name string, is bool) {
		if is {
			list = append(list, name)
		}
	}
	add("user", !o.User.IsZero())
	add("password", !o.Password.IsZero())
	add("token", !o.Token.IsZero())
	add("oauth2", o.OAuth2.on())
	add("extensions", len(o.Extensions) > 0)
	return list
}

// on reports whether tokens are got from an authorization server.
func (o *Tokens) on() bool {
	set := *o
	if len(set.OAuth2.Scopes) == 0 {
		set.OAuth2.Scopes = nil
	}
	if len(set.OAuth2.Params) == 0 {
		set.OAuth2.Params = nil
	}
	return !reflect.DeepEqual(set, defaults().Connection.SASL.OAuth2)
}

func (o *SASL) checkBearer(c *adapters.OptionErrors) {
	token, oauth2 := !o.Token.IsZero(), o.OAuth2.on()
	c.Refuse(!token && !oauth2, "sasl", "%s needs one of token and oauth2", o.Mechanism)
	c.Refuse(token && oauth2, "sasl", "%s takes its tokens from token or from oauth2; leave out one of the two", o.Mechanism)
	c.Refuse(token && o.Token.IsEmpty(), "sasl.token", "is empty")
	c.Refuse(strings.ContainsFunc(o.Token.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' }), "sasl.token", "it is no token: it holds a space or another character that none has (RFC 6750, section 2.1)")
	if oauth2 {
		o.OAuth2.check(c, "sasl.oauth2")
	}
	c.Refuse(len(o.Extensions) > maxExtensions, "sasl.extensions", "there are %d; the most is %d", len(o.Extensions), maxExtensions)
	for _, name := range slices.Sorted(maps.Keys(o.Extensions)) {
		path, value := "sasl.extensions."+name, o.Extensions[name]
		c.Refuse(name == "" || strings.ContainsFunc(name, func(r rune) bool { return !letter(r) }), path, "a name has letters only (RFC 7628, section 3.1)")
		c.Refuse(strings.EqualFold(name, "auth"), path, "it is where the token stands")
		odd := strings.ContainsFunc(value, func(r rune) bool { return (r < ' ' || r > '~') && r != '\t' })
		c.Refuse(value == "" || len(value) > maxExtension || odd, path, "its value is one line of ASCII, from 1 to %d bytes", maxExtension)
	}
}

// check adds what is wrong with the options, which stand at path, to c.
func (o *Tokens) check(c *adapters.OptionErrors, path string) {
	o.TLS.Check(c, path+".tls")
	c.Refuse(o.TLS.ServerName != "", path+".tls.server_name", "has no effect here: the certificate must be for the host of token_url")
	const within = "auth.oauth2" // of the client's options
	client := httpclient.Defaults()
	client.Auth.OAuth2 = &o.OAuth2
	var found adapters.OptionErrors
	client.Check(&found)
	for _, e := range optionErrors(found.Err()) {
		c.Refuse(true, path+strings.TrimPrefix(e.Path, within), "%w", e.Err)
	}
}

// optionErrors returns the complaints that were joined in err.
func optionErrors(err error) []*adapters.OptionError {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var list []*adapters.OptionError
		for _, e := range joined.Unwrap() {
			list = append(list, optionErrors(e)...)
		}
		return list
	}
	var o *adapters.OptionError
	if errors.As(err, &o) {
		return []*adapters.OptionError{o}
	}
	return nil
}

func letter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

func letterOrDigit(r rune) bool { return letter(r) || r >= '0' && r <= '9' }

// nameRune reports whether r can be part of the name of a topic or a client
// (org.apache.kafka.common.internals.Topic).
func nameRune(r rune) bool { return letterOrDigit(r) || r == '.' || r == '_' || r == '-' }
