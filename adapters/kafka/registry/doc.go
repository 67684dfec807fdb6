// Package registry decodes payloads to JSON by the schemas of a schema
// registry: Confluent's, or another one with its REST interface.
//
// # What is decoded
//
// A payload starts with the identifier of its schema: a byte 0 and the
// schema's id in 4 bytes, big-endian; or a byte 1 and its GUID in 16
// ([Registry.Decode]). Newer serializers may put the same into a record
// header, named by [Part.Header], and leave the payload alone
// ([Registry.DecodeAs]). For Protobuf there follows the index of the message's
// type in the schema. This is what Confluent's "wire format" says
// (https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format)
// and what its serializers do (class SchemaId).
//
// Schemas say how payloads are read, not whether they are good: nothing is
// validated, no field is filled in, and a schema's rules, encryption included,
// are not applied.
//
// # Avro
//
// A record is an object with its fields in the schema's order, a map an object
// too, an array an array, an enum its symbol. Other values:
//
//   - int and long: a number, exact. Those beyond ±2^53 are not read exactly by
//     every reader of JSON.
//   - float and double: a number with the fewest digits that give it back;
//     "NaN", "Infinity" and "-Infinity" for what JSON has no number for.
//   - bytes and fixed: base64 (RFC 4648, section 4), and not the text of
//     Latin-1 characters that Avro's own JSON encoding has.
//   - decimal: text with as many digits behind the point as the scale says,
//     "12.30", so that no reader of JSON rounds it.
//   - date: "2006-01-02". time-millis and time-micros: "15:04:05.000" and
//     "15:04:05.000000".
//   - timestamp-millis, -micros and -nanos: RFC 3339 in UTC with 3, 6 or 9
//     digits of the second, "2006-01-02T15:04:05.000Z"; local-timestamp-…: the
//     same without Z.
//   - uuid: text. duration: as ISO 8601 has it, "P1M2DT3.004S".
//   - union: the value itself, or with the option "tagged" as {"<type>":
//     value}, unless it is null.
//
// A logical type that isn't known or that doesn't go with its type is ignored,
// as the specification says. So is one that a value isn't of: years beyond
// 0000 to 9999 and times beyond a day are the number that they are on the wire,
// and decimals of more than 2000 digits are base64.
//
// # Protobuf
//
// Messages are written as ProtoJSON (https://protobuf.dev/programming-guides/json/):
// int64 and uint64 as text, enums by name, bytes as base64, the well-known
// types in their own forms. Fields come in the schema's order and entries of
// maps in that of their keys, so that equal messages have equal texts. What
// the schema doesn't know is left out. An Any of a type that the schema doesn't
// have is {"@type": …, "value": its bytes in base64}.
//
// The files of Protobuf itself, of google/type and of Confluent (meta.proto and
// its types) are known; all others have to be among a schema's references.
//
// # JSON Schema
//
// The payload is JSON, and is passed on as it is.
//
// # Failures
//
// What can't be decoded for good is a [PayloadError]; what the registry fails
// at is an [adapters.UpstreamError], with a reason for clients that holds no
// address. A registry that is down holds up only what has a schema that isn't
// known yet: schemas don't change, and are kept.
//
// That the registry refuses the credentials is permanent, unless they may be
// replaced without a new configuration: those in files, and tokens. An answer
// 404 is final only if it says that it is about the schema, since a wrong URL
// and a gateway without a backend give one too.
//
// # Bounds
//
// JSON is at most [Options.MaxJSON] bytes, values nest up to 500 deep, and
// neither time nor memory grows by what a length or a count in a payload
// claims. A Protobuf message takes memory in proportion to its payload, some
// hundred times as much at worst. A schema has at most [Options.MaxSchema] bytes
// and [Options.References] references, which may not go in a circle. There are
// no goroutines: a schema is fetched by one of those who wait for it.
package registry
