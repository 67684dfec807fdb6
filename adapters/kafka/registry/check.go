package registry

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"time"

	"sidestream/adapters"
)

// Bounds of options.
const (
	minTimeout    = 100 * time.Millisecond
	maxTimeout    = time.Minute
	maxSchemas    = 100_000
	minSize       = 1 << 10
	maxMaxSchema  = 16 << 20
	maxReferences = 1000
	maxMaxJSON    = 1 << 30
	maxNotFound   = 24 * time.Hour
	maxRetry      = time.Minute
)

// Check adds what is wrong with the options, which stand at path
// ("schema_registry"), to c. It does no I/O.
func (o *Options) Check(c *adapters.OptionErrors, path string) {
	at := func(name string) string { return path + "." + name }
	if o.URL == "" {
		set := *o
		if len(set.HTTP.Headers) == 0 {
			set.HTTP.Headers = nil
		}
		c.Refuse(!reflect.DeepEqual(set, Defaults()), at("url"), "is missing; the other options have no effect without the registry's URL, such as https://registry:8081")
		return
	}
	o.checkURL(c, at("url"))

	var client adapters.OptionErrors
	o.HTTP.Check(&client)
	for _, e := range optionErrors(client.Err()) {
		c.Refuse(true, at(e.Path), "%v", e.Err)
	}

	adapters.Within(c, at("timeout"), o.Timeout, adapters.Duration(minTimeout), adapters.Duration(maxTimeout))
	adapters.Within(c, at("schemas"), o.Schemas, 1, maxSchemas)
	adapters.Within(c, at("max_schema"), o.MaxSchema, minSize, maxMaxSchema)
	adapters.Within(c, at("references"), o.References, 0, maxReferences)
	adapters.Within(c, at("max_json"), o.MaxJSON, minSize, maxMaxJSON)
	adapters.Within(c, at("not_found"), o.NotFound, 0, adapters.Duration(maxNotFound))
	adapters.Within(c, at("retry"), o.Retry, 0, adapters.Duration(maxRetry))

	c.OneOf(at("avro.unions"), string(o.Avro.Unions), o.Avro.Unions.Values()...)
	c.OneOf(at("protobuf.names"), string(o.Protobuf.Names), o.Protobuf.Names.Values()...)

	c.Refuse(len(o.Decode) == 0, at("decode"), "is empty; leave the registry out, or name a part that it decodes: value, key")
	for i, p := range o.Decode {
		item := fmt.Sprintf("%s[%d]", at("decode"), i)
		c.OneOf(item, string(p), p.Values()...)
		c.Refuse(slices.Contains(o.Decode[:i], p), item, "%q is there twice", p)
	}
}

func (o *Options) checkURL(c *adapters.OptionErrors, path string) {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		c.Refuse(true, path, "must be an http or https URL with a host, such as https://registry:8081")
	case u.User != nil:
		c.Refuse(true, path, "must not hold a user or password; auth.basic is for them")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		c.Refuse(true, path, "must not hold a query or fragment; paths such as /schemas/ids/1 are put behind it")
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
