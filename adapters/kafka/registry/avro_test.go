package registry

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"
)

// avroJSON compiles a schema and decodes data by it.
func avroJSON(schemaText string, data []byte, o Avro, limit int) (string, error) {
	d, err := compileAvro(schema{format: typeAvro, text: schemaText}, o)
	if err != nil {
		return "", err
	}
	text, err := d.decode(frame{data: data}, limit)
	return string(text), err
}

const roomy = 1 << 20

// TestAvroSpecification has the examples of Avro's specification, "Binary
// encoding".
func TestAvroSpecification(t *testing.T) {
	for _, c := range []struct{ name, schema, data, want string }{
		{"record", `{"type":"record","name":"test","fields":[{"name":"a","type":"long"},{"name":"b","type":"string"}]}`, "36 06 66 6f 6f", `{"a":27,"b":"foo"}`},
		{"enum", `{"type":"enum","name":"Foo","symbols":["A","B","C","D"]}`, "06", `"D"`},
		{"array", `{"type":"array","items":"long"}`, "04 06 36 00", `[3,27]`},
		{"union, null", `["null","string"]`, "00", `null`},
		{"union, string", `["null","string"]`, "02 02 61", `"a"`},
		{"long 0", `"long"`, "00", `0`},
		{"long -1", `"long"`, "01", `-1`},
		{"long 1", `"long"`, "02", `1`},
		{"long -64", `"long"`, "7f", `-64`},
		{"long 64", `"long"`, "80 01", `64`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := avroJSON(c.schema, unhex(t, c.data), Avro{Unions: unionsPlain}, roomy)
			if err != nil || got != c.want {
				t.Errorf("got %s, %v, want %s", got, err, c.want)
			}
		})
	}
}

func TestAvroValues(t *testing.T) {
	record := func(fieldType string) string {
		return `{"type":"record","name":"R","fields":[{"name":"v","type":` + fieldType + `}]}`
	}
	logical := func(base, name, more string) string {
		return `{"type":"` + base + `","logicalType":"` + name + `"` + more + `}`
	}
	for _, c := range []struct{ typ, data, want string }{
		{`"null"`, "", `null`},
		{`"boolean"`, "00", `false`},
		{`"boolean"`, "01", `true`},
		{`"int"`, "ff ff ff ff 0f", `-2147483648`},
		{`"long"`, "fe ff ff ff ff ff ff ff ff 01", `9223372036854775807`},
		{`"long"`, "ff ff ff ff ff ff ff ff ff 01", `-9223372036854775808`},
		{`"float"`, "00 00 c0 3f", `1.5`},
		{`"float"`, "cd cc cc 3d", `0.1`},
		{`"float"`, "00 00 c0 7f", `"NaN"`},
		{`"double"`, "00 00 00 00 00 00 f0 7f", `"Infinity"`},
		{`"double"`, "00 00 00 00 00 00 f0 ff", `"-Infinity"`},
		{`"double"`, "9a 99 99 99 99 99 b9 3f", `0.1`},
		{`"double"`, "00 00 00 00 00 00 00 80", `-0`},
		{`"double"`, "50 ef e2 d6 e4 1a 4b 44", `1e+21`},
		{`"string"`, "0c e2 82 ac 22 0a 3c", `"€\"\n<"`},
		{`"bytes"`, "06 00 ff 80", `"AP+A"`},
		{`{"type":"fixed","name":"F","size":3}`, "00 ff 80", `"AP+A"`},
		{`{"type":"map","values":"int"}`, "04 02 62 02 02 61 04 00", `{"b":1,"a":2}`},
		{`{"type":"map","values":"int"}`, "00", `{}`},
		{`{"type":"array","items":"int"}`, "01 02 02 02 04 00", `[1,2]`},               // a block with its size, and one without
		{`{"type":"array","items":"int"}`, "03 04 02 04 02 06 00", `[1,2,3]`},          // the same, of two items
		{`{"type":"array","items":"null"}`, "06 00", `[null,null,null]`},               // items of no bytes
		{`["int",{"type":"array","items":"string"}]`, "02 02 02 78 00", `["x"]`},       // a union's complex member
		{logical("int", "date", ""), "00", `"1970-01-01"`},                             //
		{logical("int", "date", ""), "01", `"1969-12-31"`},                             //
		{logical("int", "date", ""), "fe ff ff ff 0f", `2147483647`},                   // a year beyond 9999
		{logical("int", "time-millis", ""), "02", `"00:00:00.001"`},                    //
		{logical("int", "time-millis", ""), "01", `-1`},                                // before the day
		{logical("int", "time-millis", ""), "80 f0 b2 52", `86400000`},                 // behind it
		{logical("long", "time-micros", ""), "fe f6 c0 dc 83 05", `"23:59:58.999999"`}, //
		{logical("long", "timestamp-millis", ""), "00", `"1970-01-01T00:00:00.000Z"`},
		{logical("long", "timestamp-millis", ""), "01", `"1969-12-31T23:59:59.999Z"`},
		{logical("long", "timestamp-millis", ""), "fe ff ff ff ff ff ff ff ff 01", `9223372036854775807`},
		{logical("long", "timestamp-micros", ""), "02", `"1970-01-01T00:00:00.000001Z"`},
		{logical("long", "timestamp-nanos", ""), "02", `"1970-01-01T00:00:00.000000001Z"`},
		{logical("long", "timestamp-nanos", ""), "fe ff ff ff ff ff ff ff ff 01", `"2262-04-11T23:47:16.854775807Z"`},
		{logical("long", "local-timestamp-millis", ""), "02", `"1970-01-01T00:00:00.001"`},
		{logical("long", "local-timestamp-micros", ""), "02", `"1970-01-01T00:00:00.000001"`},
		{logical("long", "local-timestamp-nanos", ""), "02", `"1970-01-01T00:00:00.000000001"`},
		{logical("string", "uuid", ""), "02 78", `"x"`},
		{logical("fixed", "uuid", `,"name":"U","size":16`), "00112233445566778899aabbccddeeff", `"00112233-4455-6677-8899-aabbccddeeff"`},
		{logical("fixed", "duration", `,"name":"D","size":12`), "01000000 02000000 bc0b0000", `"P1M2DT3.004S"`},
		{logical("fixed", "duration", `,"name":"D","size":12`), "00000000 00000000 00000000", `"PT0S"`},
		{logical("fixed", "duration", `,"name":"D","size":12`), "0c000000 00000000 00000000", `"P12M"`},
		{logical("bytes", "decimal", `,"precision":4,"scale":2`), "04 04 d2", `"12.34"`},
		{logical("bytes", "decimal", `,"precision":4,"scale":2`), "04 fb 2e", `"-12.34"`},
		{logical("bytes", "decimal", `,"precision":4,"scale":2`), "02 ff", `"-0.01"`},
		{logical("bytes", "decimal", `,"precision":4,"scale":2`), "02 00", `"0.00"`},
		{logical("bytes", "decimal", `,"precision":4`), "02 07", `"7"`},
		{logical("bytes", "decimal", `,"precision":40,"scale":1`), "16 01 00 00 00 00 00 00 00 00 00 05", `"120892581961462917470618.1"`},
		{logical("bytes", "decimal", `,"precision":40,"scale":1`), "16 ff 00 00 00 00 00 00 00 00 00 00", `"-120892581961462917470617.6"`},
		{logical("bytes", "decimal", `,"precision":20`), "10 80 00 00 00 00 00 00 00", `"-9223372036854775808"`},
		{logical("bytes", "decimal", `,"precision":4,"scale":2`), "00", `""`},
		{logical("fixed", "decimal", `,"precision":4,"scale":3,"name":"D","size":2`), "00 01", `"0.001"`},
		{logical("bytes", "big-decimal", ""), "02 07", `"Bw=="`},
		{logical("string", "date", ""), "02 78", `"x"`}, // not of its type: ignored
		{logical("long", "date", ""), "02", `1`},
	} {
		t.Run(c.typ+" "+c.data, func(t *testing.T) {
			got, err := avroJSON(record(c.typ), unhex(t, c.data), Avro{Unions: unionsPlain}, roomy)
			if want := `{"v":` + c.want + `}`; err != nil || got != want {
				t.Errorf("got %s, %v, want %s", got, err, want)
			}
		})
	}
}

func TestAvroTaggedUnions(t *testing.T) {
	const union = `["null","string",{"type":"record","name":"a.b.R","fields":[{"name":"next","type":["null","R"]}]},{"type":"array","items":"int"},{"type":"enum","name":"E","symbols":["X"]}]`
	for _, c := range []struct{ data, want string }{
		{"00", `null`},
		{"02 02 78", `{"string":"x"}`},
		{"04 02 00", `{"a.b.R":{"next":{"a.b.R":{"next":null}}}}`},
		{"06 02 02 00", `{"array":[1]}`},
		{"08 00", `{"E":"X"}`},
	} {
		got, err := avroJSON(union, unhex(t, c.data), Avro{Unions: unionsTagged}, roomy)
		if err != nil || got != c.want {
			t.Errorf("got %s, %v, want %s", got, err, c.want)
		}
	}
}

// TestAvroNames checks how names of types are resolved.
func TestAvroNames(t *testing.T) {
	for _, c := range []struct{ schema, data, want string }{
		{ // recursive, in a namespace
			`{"type":"record","name":"List","namespace":"x","fields":[{"name":"v","type":"int"},{"name":"next","type":["null","List"]}]}`,
			"02 02 04 00", `{"v":1,"next":{"v":2,"next":null}}`,
		},
		{ // the same short name in a namespace and in none
			`{"type":"record","name":"R","fields":[
				{"name":"a","type":{"type":"fixed","name":"F","size":1}},
				{"name":"b","type":{"type":"record","name":"n.S","fields":[{"name":"f","type":{"type":"fixed","name":"F","size":2}},{"name":"g","type":"F"}]}},
				{"name":"c","type":"F"}, {"name":"d","type":"n.F"}]}`,
			"01 0202 0303 04 0505", `{"a":"AQ==","b":{"f":"AgI=","g":"AwM="},"c":"BA==","d":"BQU="}`,
		},
		{ // in none, referred to from a namespace
			`[{"type":"enum","name":"E","symbols":["A"]},{"type":"record","name":"n.R","fields":[{"name":"e","type":"E"}]}]`,
			"02 00", `{"e":"A"}`,
		},
		{ // before it is defined
			`[{"type":"record","name":"A","fields":[{"name":"b","type":"B"}]},{"type":"record","name":"B","fields":[]}]`,
			"00", `{"b":{}}`,
		},
		{ // names that the specification doesn't allow
			`{"type":"record","name":"a-b","fields":[{"name":"x y","type":{"type":"error","name":"1","fields":[]}}]}`,
			"", `{"x y":{}}`,
		},
	} {
		got, err := avroJSON(c.schema, unhex(t, c.data), Avro{Unions: unionsPlain}, roomy)
		if err != nil || got != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.schema, got, err, c.want)
		}
	}
}

// TestAvroBareBytes has bytes as the whole payload, which Confluent's
// serializers write without a length.
func TestAvroBareBytes(t *testing.T) {
	got, err := avroJSON(`"bytes"`, []byte{0xff, 0, 1}, Avro{}, roomy)
	equal(t, "JSON", got, `"/wAB"`)
	equal(t, "error", err, nil)
	_, err = avroJSON(`"bytes"`, make([]byte, 100), Avro{}, 101)
	equal(t, "error", err, errTooLarge)
	_, err = avroJSON(`"bytes"`, make([]byte, 100), Avro{}, 99)
	equal(t, "error", err, errTooLarge)
}

// TestAvroHostile has payloads that aren't what the schema says, or want more
// than they are worth.
func TestAvroHostile(t *testing.T) {
	const (
		nulls  = `{"type":"array","items":"null"}`
		empty  = `{"type":"array","items":{"type":"record","name":"R","fields":[{"name":"n","type":"null"}]}}`
		loop   = `{"type":"record","name":"R","fields":[{"name":"next","type":["null","R"]}]}`
		lists  = `{"type":"record","name":"R","fields":[{"name":"l","type":{"type":"array","items":"R"}}]}`
		maps   = `{"type":"map","values":"int"}`
		enum   = `{"type":"enum","name":"E","symbols":["A","B"]}`
		fixed  = `{"type":"fixed","name":"F","size":2147483647}`
		most   = "fe ff ff ff ff ff ff ff ff 01" // 2^63-1
		least  = "ff ff ff ff ff ff ff ff ff 01" // -2^63
		beyond = "80 80 80 80 80 80 80 80 80 02" // 2^64, more or less
	)
	for _, c := range []struct{ name, schema, data, want string }{
		{"no more bytes", `"int"`, "", errEnds.Error()},
		{"half a number", `"int"`, "80", errEnds.Error()},
		{"an int of 33 bits", `"int"`, "80 80 80 80 10", errVarint.Error()},
		{"an int of six bytes", `"int"`, "82 80 80 80 80 00", errVarint.Error()},
		{"a long of 65 bits", `"long"`, beyond, errVarint.Error()},
		{"a boolean 2", `"boolean"`, "02", errBoolean.Error()},
		{"half a double", `"double"`, "00 00 00", errEnds.Error()},
		{"a long string", `"string"`, most + "61", errLength.Error()},
		{"a negative string", `"string"`, "01", errLength.Error()},
		{"no text", `"string"`, "02 ff", errUTF8.Error()},
		{"a large fixed", fixed, "00", errEnds.Error()},
		{"symbol 2", enum, "04", errSymbol.Error()},
		{"symbol -1", enum, "01", errSymbol.Error()},
		{"member 2", `["null","int"]`, "04", errBranch.Error()},
		{"many nulls", nulls, most, errTooLarge.Error()},
		{"many records of nothing", empty, most, errTooLarge.Error()},
		{"an impossible block", nulls, least + "00", errBlock.Error()},
		{"a block without a size", nulls, "01", errEnds.Error()},
		{"many ints", `{"type":"array","items":"int"}`, most + "02", errEnds.Error()},
		{"half an array", `{"type":"array","items":"int"}`, "02 02", errEnds.Error()},
		{"deep records", loop, strings.Repeat("02", 1000), errTooDeep.Error()},
		{"deep lists", lists, strings.Repeat("02", 1000), errTooDeep.Error()},
		{"a key twice", maps, "04 02 61 02 02 61 04 00", errTwice.Error()},
		{"a key that is no text", maps, "02 02 ff 02 00", errUTF8.Error()},
		{"bytes behind the end", `"int"`, "02 00", errTrailing.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			got, err := avroJSON(c.schema, unhex(t, c.data), Avro{Unions: unionsPlain}, roomy)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %.100s, error %v, want %s", got, err, c.want)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestAvroManyKeys(t *testing.T) {
	var data []byte
	const n = 3 * fewKeys
	for i := range n {
		data = append(data, 2, 6) // a block of one, a key of three bytes
		data = fmt.Appendf(data, "k%02d", i)
		data = append(data, 0)
	}
	const m = `{"type":"map","values":"int"}`
	got, err := avroJSON(m, append(data, 0), Avro{}, roomy)
	if err != nil || strings.Count(got, ":") != n {
		t.Errorf("got %s, %v, want %d members", got, err, n)
	}
	_, err = avroJSON(m, append(data, "\x02\x06k01\x00\x00"...), Avro{}, roomy)
	equal(t, "error of a key that was there", err, errTwice)
}

// TestAvroManyReferences has a chain of references, each to the one before,
// which must not take time by more than their number.
func TestAvroManyReferences(t *testing.T) {
	s := schema{text: `["null","R99"]`}
	for i := range 100 {
		typ := fmt.Sprintf(`"R%d"`, i-1)
		if i == 0 {
			typ = `"null"`
		}
		text := fmt.Sprintf(`{"type":"record","name":"R%d","doc":%q,"fields":[{"name":"f","type":%s}]}`, i, strings.Repeat("x", 10_000), typ)
		s.references = append(s.references, referenced{fmt.Sprint("R", i), text})
	}
	start := time.Now()
	d, err := compileAvro(s, Avro{Unions: unionsTagged})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	got, err := d.decode(frame{data: []byte{2}}, roomy)
	want := `{"R99":` + strings.Repeat(`{"f":`, 100) + `null` + strings.Repeat("}", 101)
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

// TestAvroLongDecimal has one that would take long to write in digits.
func TestAvroLongDecimal(t *testing.T) {
	const decimal = `["null",{"type":"bytes","logicalType":"decimal","precision":2000}]`
	for _, c := range []struct {
		size int
		want string // what it starts with
	}{
		{maxUnscaled, `"0"`},
		{maxUnscaled + 1, `"AAAA`},
	} {
		data := append(binary.AppendVarint([]byte{2}, int64(c.size)), make([]byte, c.size)...)
		got, err := avroJSON(decimal, data, Avro{Unions: unionsPlain}, roomy)
		if err != nil || !strings.HasPrefix(got, c.want) {
			t.Errorf("%d bytes: got %.20s, %v, want %s", c.size, got, err, c.want)
		}
	}
}

func TestAvroLimit(t *testing.T) {
	const strs = `{"type":"array","items":"string"}`
	data := []byte("\x04\x02a\x02b\x00")
	got, err := avroJSON(strs, data, Avro{}, 9)
	equal(t, "JSON", got, `["a","b"]`)
	equal(t, "error", err, nil)
	_, err = avroJSON(strs, data, Avro{}, 8)
	equal(t, "error", err, errTooLarge)
}

// TestAvroBadSchemas has schemas that can't be used.
func TestAvroBadSchemas(t *testing.T) {
	deep := strings.Repeat(`{"type":"array","items":`, 5000) + `"int"` + strings.Repeat("}", 5000)
	var chain strings.Builder // each record has one that is defined later
	chain.WriteString("[")
	const links = 20_000
	for i := range links {
		fmt.Fprintf(&chain, `{"type":"record","name":"A%d","fields":[{"name":"f","type":"A%d"}]},`, i, i+1)
	}
	fmt.Fprintf(&chain, `{"type":"record","name":"A%d","fields":[]}]`, links)

	for _, c := range []struct{ name, schema, want string }{
		{"no JSON", `{`, "it is no Avro schema"},
		{"an unknown type", `"x"`, "it is no Avro schema"},
		{"no schema", `5`, "it is no Avro schema"},
		{"deep", deep, "it is no Avro schema"},
		{"more than one schema", `"int"},{"name":"x","type":"int"`, "it is not JSON"},
		{"a record without fields", `"record"`, "it is no Avro schema"},
		{"two unions", `[["int"]]`, "it is no Avro schema"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := avroJSON(c.schema, nil, Avro{}, roomy); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want …%s…", err, c.want)
			}
		})
	}
	t.Run("chain", func(t *testing.T) {
		if _, err := avroJSON(chain.String(), []byte{0}, Avro{}, roomy); err == nil || !strings.Contains(err.Error(), errTooDeep.Error()) {
			t.Errorf("got error %v, want %v", err, errTooDeep)
		}
	})
}
