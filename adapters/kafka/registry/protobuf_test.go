package registry

import (
	"encoding/base64"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const proto3 = "syntax = \"proto3\";\n"

// protoJSON compiles a schema and decodes a message of its first type.
func protoJSON(text string, data []byte, o Protobuf, limit int, refs ...referenced) (string, error) {
	d, err := compileProtobuf(schema{format: typeProtobuf, text: text, references: refs}, o)
	if err != nil {
		return "", err
	}
	got, err := d.decode(frame{data: append([]byte{0}, data...)}, limit)
	return string(got), err
}

// A wire is a message under construction, by protowire alone.
type wire []byte

func (w wire) varint(n protowire.Number, v uint64) wire {
	return protowire.AppendVarint(protowire.AppendTag(w, n, protowire.VarintType), v)
}

func (w wire) bytes(n protowire.Number, v string) wire {
	return protowire.AppendString(protowire.AppendTag(w, n, protowire.BytesType), v)
}

func (w wire) fixed32(n protowire.Number, v uint32) wire {
	return protowire.AppendFixed32(protowire.AppendTag(w, n, protowire.Fixed32Type), v)
}

func (w wire) fixed64(n protowire.Number, v uint64) wire {
	return protowire.AppendFixed64(protowire.AppendTag(w, n, protowire.Fixed64Type), v)
}

// TestProtobufSpecification has the examples of "Protocol Buffers: Encoding".
func TestProtobufSpecification(t *testing.T) {
	for _, c := range []struct{ schema, data, want string }{
		{`message Test1 { int32 a = 1; }`, "08 96 01", `{"a":150}`},
		{`message Test2 { string b = 2; }`, "12 07 74 65 73 74 69 6e 67", `{"b":"testing"}`},
		{`message Test3 { Test1 c = 3; } message Test1 { int32 a = 1; }`, "1a 03 08 96 01", `{"c":{"a":150}}`},
		{`message Test4 { string d = 4; repeated int32 e = 6; }`, "22 05 68 65 6c 6c 6f 32 06 03 8e 02 9e a7 05", `{"d":"hello","e":[3,270,86942]}`},
	} {
		got, err := protoJSON(proto3+c.schema, unhex(t, c.data), Protobuf{Names: namesJSON}, roomy)
		if err != nil || got != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.schema, got, err, c.want)
		}
	}
}

const everything = proto3 + `
package shop;
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

message Order {
  bool paid = 1;
  int32 i32 = 2; sint32 s32 = 3; uint32 u32 = 4; fixed32 f32 = 5; sfixed32 sf32 = 6;
  int64 i64 = 7; sint64 s64 = 8; uint64 u64 = 9; fixed64 f64 = 10; sfixed64 sf64 = 11;
  float ratio = 12; double price = 13;
  string customer_name = 14; bytes raw = 15;
  Status status = 16;
  repeated string tags = 17; repeated Line lines = 18;
  map<string, int64> stock = 19; map<int32, Line> by_number = 20; map<bool, string> flags = 21;
  oneof payment { string card = 22; Line voucher = 23; }
  optional int32 discount = 24;
  google.protobuf.Timestamp at = 25; google.protobuf.Duration took = 26; google.protobuf.FieldMask mask = 27;
  google.protobuf.Struct extra = 28; google.protobuf.Value any_value = 29; google.protobuf.ListValue list = 30;
  google.protobuf.Int64Value wide = 31; google.protobuf.StringValue text = 32; google.protobuf.BoolValue yes = 33; google.protobuf.BytesValue blob = 34;
  google.protobuf.Any detail = 35; google.protobuf.Empty nothing = 36; google.protobuf.NullValue none = 37;
  string renamed = 38 [json_name = "otherName"];
  map<uint64, double> weights = 39;
  message Line { string sku = 1; int32 count = 2; }
}
enum Status { UNKNOWN = 0; OPEN = 1; }
`

// an order with a value in each of its fields.
func order() []byte {
	line := string(wire{}.bytes(1, "x").varint(2, 3))
	seconds := string(wire{}.varint(1, 1_700_000_000).varint(2, 5_000_000))
	value := func(s string) string { return string(wire{}.bytes(3, s)) }
	return wire{}.
		varint(1, 1).varint(2, math.MaxUint64).varint(3, 1).varint(4, 4294967295).fixed32(5, 5).fixed32(6, math.MaxUint32).
		varint(7, math.MaxUint64).varint(8, 1).varint(9, math.MaxUint64).fixed64(10, 10).fixed64(11, math.MaxUint64).
		fixed32(12, math.Float32bits(0.1)).fixed64(13, math.Float64bits(9.99)).
		bytes(14, "Zoë \"quoted\"").bytes(15, "\x00\xff").varint(16, 1).
		bytes(17, "b").bytes(17, "a").bytes(18, line).bytes(18, "").
		bytes(19, string(wire{}.bytes(1, "z").varint(2, 1))).bytes(19, string(wire{}.bytes(1, "a").varint(2, 2))).
		bytes(20, string(wire{}.varint(1, 10).bytes(2, line))).bytes(20, string(wire{}.varint(1, 9).bytes(2, line))).
		bytes(21, string(wire{}.varint(1, 1).bytes(2, "t"))).bytes(21, string(wire{}.varint(1, 0).bytes(2, "f"))).
		bytes(22, "gone").bytes(23, line).varint(24, 0).
		bytes(25, seconds).bytes(26, seconds).bytes(27, string(wire{}.bytes(1, "a_b.c_d"))).
		bytes(28, string(wire{}.bytes(1, string(wire{}.bytes(1, "k").bytes(2, value("v")))))).bytes(29, value("v")).bytes(30, string(wire{}.bytes(1, value("v")).bytes(1, value("w")))).
		bytes(31, string(wire{}.varint(1, 7))).bytes(32, "").bytes(33, string(wire{}.varint(1, 1))).bytes(34, string(wire{}.bytes(1, "a"))).
		bytes(35, string(wire{}.bytes(1, "type.googleapis.com/shop.Order.Line").bytes(2, line))).bytes(36, "").varint(37, 0).
		bytes(38, "r").
		bytes(39, string(wire{}.varint(1, math.MaxUint64).fixed64(2, math.Float64bits(math.Inf(1))))).bytes(39, string(wire{}.varint(1, 2).fixed64(2, math.Float64bits(math.NaN())))).
		varint(1000, 1)
}

func TestProtobufEverything(t *testing.T) {
	const want = `{"paid":true,"i32":-1,"s32":-1,"u32":4294967295,"f32":5,"sf32":-1,` +
		`"i64":"-1","s64":"-1","u64":"18446744073709551615","f64":"10","sf64":"-1","ratio":0.1,"price":9.99,` +
		`"customerName":"Zoë \"quoted\"","raw":"AP8=","status":"OPEN","tags":["b","a"],"lines":[{"sku":"x","count":3},{}],` +
		`"stock":{"a":"2","z":"1"},"byNumber":{"9":{"sku":"x","count":3},"10":{"sku":"x","count":3}},"flags":{"false":"f","true":"t"},` +
		`"voucher":{"sku":"x","count":3},"discount":0,` +
		`"at":"2023-11-14T22:13:20.005Z","took":"1700000000.005s","mask":"aB.cD","extra":{"k":"v"},"anyValue":"v","list":["v","w"],` +
		`"wide":"7","text":"","yes":true,"blob":"YQ==",` +
		`"detail":{"@type":"type.googleapis.com/shop.Order.Line","sku":"x","count":3},"nothing":{},"otherName":"r","weights":{"2":"NaN","18446744073709551615":"Infinity"}}`
	got, err := protoJSON(everything, order(), Protobuf{Names: namesJSON}, roomy)
	if err != nil || got != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}

	names, err := protoJSON(everything, order(), Protobuf{Names: namesProto}, roomy)
	if err != nil || !strings.Contains(names, `"customer_name":`) || !strings.Contains(names, `"renamed":"r"`) {
		t.Errorf("got %s, %v, want the schema's names", names, err)
	}
}

// TestProtobufLikeTheLibrary compares with what the library writes, white space
// and the order of members aside.
func TestProtobufLikeTheLibrary(t *testing.T) {
	for _, data := range [][]byte{nil, order(), wire{}.varint(16, 7).varint(37, 1)} {
		for _, o := range []Protobuf{{Names: namesJSON}, {Names: namesProto}, {Names: namesJSON, Defaults: true}} {
			d, err := compileProtobuf(schema{text: everything}, o)
			if err != nil {
				t.Fatal(err)
			}
			got, err := d.decode(frame{data: append([]byte{0}, data...)}, roomy)
			if err != nil {
				t.Fatal(err)
			}
			p := d.(*protoDecoder)
			m := dynamicpb.NewMessage(p.root.Messages().Get(0))
			if err := proto.Unmarshal(data, m); err != nil {
				t.Fatal(err)
			}
			want, err := protojson.MarshalOptions{UseProtoNames: o.Names == namesProto, EmitDefaultValues: o.Defaults, Resolver: p.types}.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, fmt.Sprintf("JSON with %+v", o), canonical(t, got), canonical(t, want))
		}
	}
}

func canonical(t *testing.T, text []byte) string {
	t.Helper()
	v := jsontext.Value(text).Clone()
	if err := v.Canonicalize(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return string(v)
}

func TestProtobuf2(t *testing.T) {
	const schemaText = `syntax = "proto2"; package p;
		message M { required int32 id = 1; optional string s = 2 [default = "d"]; optional group Part = 3 { optional bool on = 1; } extensions 100 to 200; enum E { A = 1; } optional E e = 4; }
		extend M { optional int32 more = 100; repeated M nested = 101; }
		message Holder { extend M { optional string inner = 102; } }`
	data := wire{}.varint(100, 7).bytes(102, "i").bytes(101, string(wire{}.varint(1, 1)))
	data = protowire.AppendTag(data, 3, protowire.StartGroupType)
	data = protowire.AppendTag(data.varint(1, 1), 3, protowire.EndGroupType)
	got, err := protoJSON(schemaText, data.varint(4, 9), Protobuf{Names: namesJSON, Defaults: true}, roomy)
	equal(t, "error", err, nil)
	equal(t, "JSON", got, `{"part":{"on":true},"e":9,"[p.Holder.inner]":"i","[p.more]":7,"[p.nested]":[{"id":1}]}`)
}

func TestProtobufEditions(t *testing.T) {
	const schemaText = `edition = "2023"; message M { int32 a = 1; int32 b = 2 [features.field_presence = IMPLICIT]; M m = 3 [features.message_encoding = DELIMITED]; }`
	data := wire{}.varint(1, 0).varint(2, 0)
	data = protowire.AppendTag(data, 3, protowire.StartGroupType)
	data = protowire.AppendTag(data.varint(1, 1), 3, protowire.EndGroupType)
	got, err := protoJSON(schemaText, data, Protobuf{Names: namesJSON}, roomy)
	equal(t, "error", err, nil)
	equal(t, "JSON", got, `{"a":0,"m":{"a":1}}`)
}

// TestProtobufIndexes checks how the index of a message's type is read.
func TestProtobufIndexes(t *testing.T) {
	const text = proto3 + `message A { message B { message C { int32 c = 1; } } message D { int32 d = 1; } } message E { int32 e = 1; }`
	d, err := compileProtobuf(schema{text: text}, Protobuf{Names: namesJSON})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ data, want string }{
		{"00", `{}`},
		{"02 00", `{}`},
		{"02 02 08 05", `{"e":5}`},
		{"04 00 02 08 05", `{"d":5}`},
		{"06 00 00 00 08 05", `{"c":5}`},
	} {
		got, err := d.decode(frame{data: unhex(t, c.data)}, roomy)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.data, got, err, c.want)
		}
	}
	for _, data := range []string{"", "80", "01", "02", "02 04", "02 01", "04 00", "04 00 04", "fe ff ff ff ff ff ff ff ff 01", "08 00 00 00 00", "ff ff ff ff ff ff ff ff ff ff ff"} {
		if got, err := d.decode(frame{data: unhex(t, data)}, roomy); err == nil {
			t.Errorf("%s: got %s, want an error", data, got)
		}
	}
}

func TestProtobufAny(t *testing.T) {
	const text = proto3 + `package p; import "google/protobuf/any.proto"; import "google/protobuf/timestamp.proto"; message M { google.protobuf.Any a = 1; } message T { google.protobuf.Timestamp t = 1; }`
	held := func(url, data string) []byte { return wire{}.bytes(1, string(wire{}.bytes(1, url).bytes(2, data))) }
	stamp, err := proto.Marshal(timestamppb.New(time.Unix(0, 0)))
	if err != nil {
		t.Fatal(err)
	}
	deep := ""
	for range maxAnys + 1 {
		deep = string(wire{}.bytes(1, "/google.protobuf.Any").bytes(2, deep))
	}
	for _, c := range []struct {
		data []byte
		want string
	}{
		{held("", ""), `{"a":{}}`},
		{held("x/p.M", ""), `{"a":{"@type":"x/p.M"}}`},
		{held("x/p.M", string(held("x/p.T", ""))), `{"a":{"@type":"x/p.M","a":{"@type":"x/p.T"}}}`},
		{held("x/google.protobuf.Timestamp", string(stamp)), `{"a":{"@type":"x/google.protobuf.Timestamp","value":"1970-01-01T00:00:00Z"}}`},
		{held("x/not.Known", "abc"), `{"a":{"@type":"x/not.Known","value":"YWJj"}}`},
		{held("x/p.M", "\xff"), `{"a":{"@type":"x/p.M","value":"/w=="}}`},
		{wire{}.bytes(1, deep), ""},
	} {
		got, err := protoJSON(text, c.data, Protobuf{Names: namesJSON}, roomy)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("got %s, %v, want %s", got, err, c.want)
		}
	}
}

// TestProtobufKnownFiles checks that each of them can be imported.
func TestProtobufKnownFiles(t *testing.T) {
	const text = proto3 + `
import "confluent/meta.proto"; import "confluent/type/decimal.proto"; import "confluent/type/variant.proto";
import "google/type/calendar_period.proto"; import "google/type/color.proto"; import "google/type/date.proto"; import "google/type/datetime.proto";
import "google/type/dayofweek.proto"; import "google/type/expr.proto"; import "google/type/fraction.proto"; import "google/type/interval.proto";
import "google/type/latlng.proto"; import "google/type/localized_text.proto"; import "google/type/money.proto"; import "google/type/month.proto";
import "google/type/phone_number.proto"; import "google/type/postal_address.proto"; import "google/type/quaternion.proto"; import "google/type/timeofday.proto";
import "google/type/decimal.proto"; import "google/protobuf/descriptor.proto"; import "google/protobuf/type.proto"; import "google/protobuf/api.proto";
message M {
  option (confluent.message_meta).doc = "an order";
  google.type.Money price = 1 [(confluent.field_meta) = {doc: "in the shop's currency", tags: ["PII"], params: [{key: "a", value: "b"}]}];
  google.type.Date day = 2; confluent.type.Decimal total = 3;
  int32 free = 4 [(confluent.field_meta).nobody = "knows"];
}`
	data := wire{}.bytes(1, string(wire{}.bytes(1, "EUR").varint(2, 12))).bytes(2, string(wire{}.varint(1, 2026).varint(2, 1).varint(3, 2))).bytes(3, string(wire{}.bytes(1, "\x04\xd2").varint(3, 2)))
	got, err := protoJSON(text, data, Protobuf{Names: namesJSON}, roomy)
	equal(t, "error", err, nil)
	equal(t, "JSON", got, `{"price":{"currencyCode":"EUR","units":"12"},"day":{"year":2026,"month":1,"day":2},"total":{"value":"BNI=","scale":2}}`)
}

func TestProtobufReferences(t *testing.T) {
	refs := []referenced{
		{"c.proto", proto3 + `package c; message C { int32 n = 1; }`},
		{"b.proto", proto3 + `package b; import public "c.proto"; import "google/protobuf/timestamp.proto"; message B { c.C c = 1; google.protobuf.Timestamp t = 2; }`},
		{"google/protobuf/timestamp.proto", proto3 + `package google.protobuf; message Timestamp { string seconds = 1; }`}, // known better
	}
	got, err := protoJSON(proto3+`import "b.proto"; message A { b.B b = 1; c.C c = 2; }`,
		wire{}.bytes(1, string(wire{}.bytes(1, string(wire{}.varint(1, 1))).bytes(2, ""))).bytes(2, string(wire{}.varint(1, 2))),
		Protobuf{Names: namesJSON}, roomy, refs...)
	equal(t, "error", err, nil)
	equal(t, "JSON", got, `{"b":{"c":{"n":1},"t":"1970-01-01T00:00:00Z"},"c":{"n":2}}`)
}

// TestProtobufDescriptor has a schema that was registered as a descriptor.
func TestProtobufDescriptor(t *testing.T) {
	f := protodesc.ToFileDescriptorProto(timestamppb.File_google_protobuf_timestamp_proto)
	f.Name, f.Package, f.Dependency = proto.String("x.proto"), proto.String("x"), []string{"google/protobuf/timestamp.proto"}
	f.MessageType[0].Field = append(f.MessageType[0].Field, &descriptorpb.FieldDescriptorProto{
		Name: proto.String("at"), Number: proto.Int32(3), TypeName: proto.String(".google.protobuf.Timestamp"),
		Type: descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
	})
	b, err := proto.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	got, err := protoJSON(base64.StdEncoding.EncodeToString(b)+"\n", wire{}.varint(1, 7).bytes(3, ""), Protobuf{Names: namesJSON}, roomy)
	equal(t, "error", err, nil)
	equal(t, "JSON", got, `{"seconds":"7","at":"1970-01-01T00:00:00Z"}`)
}

// TestProtobufImpostors has messages that have the names of well-known types,
// but not their fields.
func TestProtobufImpostors(t *testing.T) {
	const text = proto3 + `package google.protobuf;
		message M { Timestamp t = 1; Any a = 2; Int32Value w = 3; NullValue n = 4; }
		message Timestamp { string seconds = 1; } message Any {} message Int32Value { bool b = 9; } enum NullValue { SOME = 0; OTHER = 1; }`
	data := wire{}.bytes(1, string(wire{}.bytes(1, "s"))).bytes(2, "").bytes(3, "").varint(4, 1)
	got, err := protoJSON(text, data, Protobuf{Names: namesJSON}, roomy)
	equal(t, "error", err, nil)
	equal(t, "JSON", got, `{"t":{"seconds":"s"},"a":{},"w":{},"n":"OTHER"}`)
}

func TestProtobufHostile(t *testing.T) {
	long := "a" + strings.Repeat("x", 1000)
	recursive := proto3 + `message M { M m = 1; repeated Empty ` + long + ` = 2; string s = 3; } message Empty {}`
	deep := wire{}
	for range 2 * maxDepth {
		deep = wire{}.bytes(1, string(deep))
	}
	many := proto3 + `message M { repeated E e = 1; } message E { int32 ` + long + ` = 1; }`
	var amplified wire
	for range 10_000 {
		amplified = amplified.bytes(1, string(wire{}.varint(1, 1)))
	}
	for _, c := range []struct {
		name, schema string
		data         []byte
		want         string
	}{
		{"no message", recursive, []byte{0xff}, "it is no message M"},
		{"a length beyond", recursive, []byte{0x1a, 0xff, 0xff, 0xff, 0xff, 0x07}, "it is no message M"},
		{"no text", recursive, wire{}.bytes(3, "\xff"), "it is no message M"},
		{"no text, proto2", `syntax = "proto2"; message M { optional string s = 1; }`, wire{}.bytes(1, "\xff"), errUTF8.Error()},
		{"deep", recursive, deep, "it is no message M"},
		{"a map's key of another type", everything, wire{}.bytes(19, string(wire{}.bytes(1, "k").varint(1, 1))), "it is no message shop.Order"},
		{"much for little", many, amplified, errTooLarge.Error()},
		{"a time beyond", proto3 + `import "google/protobuf/timestamp.proto"; message M { google.protobuf.Timestamp t = 1; }`, wire{}.bytes(1, string(wire{}.varint(1, 1<<60))), "has a value that JSON has no form for"},
		{"a value of nothing", proto3 + `import "google/protobuf/struct.proto"; message M { google.protobuf.Value v = 1; }`, wire{}.bytes(1, ""), "has a value that JSON has no form for"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := protoJSON(c.schema, c.data, Protobuf{Names: namesJSON}, roomy); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %.100s, error %v, want …%s…", got, err, c.want)
			}
		})
	}
}

// TestProtobufStopsWriting checks that no more is written than may be.
func TestProtobufStopsWriting(t *testing.T) {
	name := "a" + strings.Repeat("x", 1000)
	d, err := compileProtobuf(schema{text: proto3 + `message M { repeated E e = 1; repeated int32 n = 2; } message E { int32 ` + name + ` = 1; }`}, Protobuf{Names: namesJSON})
	if err != nil {
		t.Fatal(err)
	}
	var messages, numbers wire
	for range 10_000 {
		messages = messages.bytes(1, string(wire{}.varint(1, 1)))
		numbers = numbers.varint(2, 1<<30)
	}
	p := d.(*protoDecoder)
	for _, data := range [][]byte{messages, numbers} {
		m := dynamicpb.NewMessage(p.root.Messages().Get(0))
		if !p.unmarshal(data, m, maxDepth) {
			t.Fatal("it is no message")
		}
		w := protoWriter{protoDecoder: p, limit: 10_000}
		equal(t, "error", w.message(m, p.messages["M"]), errTooLarge)
		if len(w.out) > w.limit+2*len(name) {
			t.Errorf("got %d bytes, want about %d at most", len(w.out), w.limit)
		}
	}
}

func TestProtobufBadSchemas(t *testing.T) {
	nested := proto3 + strings.Repeat("message A {", 100_000) + strings.Repeat("}", 100_000)
	hidden := proto3 + strings.Repeat("message A { /* } \" */ // }}}\n string s = 1 [default = '}}\\'}'];", maxProtoNesting+1)
	for _, c := range []struct {
		name, text, want string
		refs             []referenced
	}{
		{"no schema", "message {", "it is no Protobuf schema", nil},
		{"an Avro schema", `"int"`, "it is no Protobuf schema", nil},
		{"an unknown type", proto3 + "message M { X x = 1; }", "it can't be linked", nil},
		{"an unknown import", proto3 + `import "x.proto";`, `it imports "x.proto", which is none of its references`, nil},
		{"a circle", proto3 + `import "a.proto";`, `it imports "a.proto" in a circle`, []referenced{{"a.proto", proto3 + `import "b.proto";`}, {"b.proto", proto3 + `import "a.proto";`}}},
		{"itself", proto3 + `import "(schema)";`, "in a circle", nil},
		{"the same twice", proto3 + `import "a.proto"; message M {}`, "it can't be linked", []referenced{{"a.proto", proto3 + "message M {}"}}},
		{"nested", nested, "it nests more than 64 levels deep", nil},
		{"nested behind comments", hidden, "it nests more than 64 levels deep", nil},
		{"nested as protoc refuses", proto3 + strings.Repeat("message A {", 40) + strings.Repeat("}", 40), "it is no Protobuf schema", nil},
		{"no messages", proto3, errIndex.Error(), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := protoJSON(c.text, nil, Protobuf{Names: namesJSON}, roomy, c.refs...); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %.300v, want …%s…", err, c.want)
			}
		})
	}
}
