package registry

import (
	"slices"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/httpclient"
)

// Options say which schema registry decodes what, and within which bounds.
// Start from [Defaults].
type Options struct {
	// URL is where the registry's REST interface is: http or https, and a
	// path where it has one, such as that of a context ("/contexts/.prod").
	// Empty: there is no registry, and nothing is decoded.
	URL string `yaml:"url"`

	// HTTP are headers, credentials, TLS, proxy and redirects.
	HTTP httpclient.Options `yaml:",inline"`

	// Timeout bounds one request from its start to the last byte of the
	// answer, from 100ms to 1m. A schema needs one, and one more for each
	// reference.
	Timeout adapters.Duration `yaml:"timeout"`

	// Decode names the parts of records that are decoded.
	Decode []Part `yaml:"decode"`

	// Schemas is how many schemas are kept, ready for use, from 1 to 100000;
	// then the one goes that wasn't used for the longest time.
	Schemas int `yaml:"schemas"`

	// MaxSchema bounds the text of a schema together with its references,
	// from 1KiB to 16MiB.
	MaxSchema adapters.Size `yaml:"max_schema"`

	// References is how many other schemas one may refer to, directly and
	// through others, from 0 to 1000.
	References int `yaml:"references"`

	// MaxJSON bounds the JSON that is made of one payload, from 1KiB to 1GiB.
	MaxJSON adapters.Size `yaml:"max_json"`

	// NotFound is how long it is remembered that the registry doesn't have a
	// schema, or that it has one which can't be used; from 0 to 24h.
	NotFound adapters.Duration `yaml:"not_found"`

	// Retry is how long it is remembered that the registry failed to answer
	// for a schema, so that many sources don't all ask; from 0 to 1m.
	Retry adapters.Duration `yaml:"retry"`

	Avro     Avro     `yaml:"avro"`
	Protobuf Protobuf `yaml:"protobuf"`
}

// Avro are options of the JSON that is made of Avro.
type Avro struct {
	// Unions says how a value of a union is written.
	Unions Unions `yaml:"unions"`
}

// Unions says how a value of one of Avro's unions is written.
type Unions string

const (
	unionsPlain  Unions = "plain"  // as the value itself
	unionsTagged Unions = "tagged" // as {"<type>": value}, unless it is null: as in Avro's own JSON encoding, for unions of several records
)

// Values implements [adapters.Choice].
func (Unions) Values() []string { return []string{string(unionsPlain), string(unionsTagged)} }

// Protobuf are options of the JSON that is made of Protobuf messages.
type Protobuf struct {
	// Names says how fields are called.
	Names Names `yaml:"names"`

	// Defaults writes fields without presence also if they have their
	// default values: 0, "", false, an enum's first value, empty lists and
	// maps. Fields with presence are written if they are set, in any case.
	Defaults bool `yaml:"defaults"`
}

// Names says how fields of Protobuf messages are called.
type Names string

const (
	namesJSON  Names = "json"  // by their JSON names: orderId for order_id
	namesProto Names = "proto" // as in the schema: order_id
)

// Values implements [adapters.Choice].
func (Names) Values() []string { return []string{string(namesJSON), string(namesProto)} }

// A Part is one of the two payloads of a record.
type Part string

// The parts.
const (
	Value Part = "value"
	Key   Part = "key"
)

// Values implements [adapters.Choice].
func (Part) Values() []string { return []string{string(Value), string(Key)} }

// Decodes reports whether there is a registry that decodes p.
func (o *Options) Decodes(p Part) bool { return o.URL != "" && slices.Contains(o.Decode, p) }

// Header is the name of the record header in which newer serializers put the
// schema of the part, in place of a prefix to its payload: see
// [Registry.DecodeAs].
func (p Part) Header() string { return "__" + string(p) + "_schema_id" }

// Defaults returns the options that hold when nothing is configured.
func Defaults() Options {
	return Options{
		HTTP:       httpclient.Defaults(),
		Timeout:    adapters.Duration(5 * time.Second),
		Decode:     []Part{Value},
		Schemas:    1000,
		MaxSchema:  1 << 20,
		References: 100,
		MaxJSON:    16 << 20,
		NotFound:   adapters.Duration(time.Minute),
		Retry:      adapters.Duration(time.Second),
		Avro:       Avro{Unions: unionsPlain},
		Protobuf:   Protobuf{Names: namesJSON},
	}
}
