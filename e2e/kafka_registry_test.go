package e2e

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A schemaRegistry speaks as much of the REST interface of Confluent's
// registry as whoever decodes needs: schemas by their ids, and versions of
// subjects, which references name.
type schemaRegistry struct {
	*httptest.Server

	mu       sync.Mutex
	schemas  map[string]registered // guarded by mu; by the paths that they have
	requests map[string]int        // guarded by mu; by path
	failing  bool                  // guarded by mu
}

// registered is a schema as the registry gives it.
type registered struct {
	Schema     string      `json:"schema"`
	SchemaType string      `json:"schemaType,omitempty"` // "": Avro
	References []reference `json:"references,omitempty"`
}

type reference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// Who may ask the registry.
const (
	registryUser     = "reader"
	registryPassword = "quiet-3308"
)

func startSchemaRegistry(tb testing.TB) *schemaRegistry {
	tb.Helper()
	r := &schemaRegistry{schemas: map[string]registered{}, requests: map[string]int{}}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	tb.Cleanup(func() {
		r.CloseClientConnections()
		r.Close()
	})
	return r
}

func (r *schemaRegistry) serve(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests[req.URL.Path]++
	w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	user, password, _ := req.BasicAuth()
	s, found := r.schemas[req.URL.Path]
	switch {
	case r.failing:
		http.Error(w, `{"error_code":50001,"message":"Error in the backend data store"}`, http.StatusInternalServerError)
	case user != registryUser || password != registryPassword:
		http.Error(w, `{"error_code":401,"message":"Unauthorized"}`, http.StatusUnauthorized)
	case !found:
		http.Error(w, `{"error_code":40403,"message":"Schema not found"}`, http.StatusNotFound)
	default:
		_ = json.NewEncoder(w).Encode(s)
	}
}

// register gives a schema an id.
func (r *schemaRegistry) register(id int, s registered) { r.put(fmt.Sprintf("/schemas/ids/%d", id), s) }

// name gives a schema a subject and its first version.
func (r *schemaRegistry) name(subject string, s registered) {
	r.put("/subjects/"+subject+"/versions/1", s)
}

func (r *schemaRegistry) put(path string, s registered) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.schemas[path] = s
}

// fail makes the registry fail, or work again.
func (r *schemaRegistry) fail(failing bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failing = failing
}

// asked returns how often a schema was asked for.
func (r *schemaRegistry) asked(id int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests[fmt.Sprintf("/schemas/ids/%d", id)]
}

// withSchema returns a payload behind the id of its schema, as serializers
// write it: a zero byte and four of the id.
func withSchema(id uint32, payload ...byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, id), payload...)
}

// avroString returns a string as Avro has it: its length, in zigzag, and it.
func avroString(s string) []byte { return append(binary.AppendVarint(nil, int64(len(s))), s...) }

// avroDouble returns a double as Avro has it.
func avroDouble(f float64) []byte { return binary.LittleEndian.AppendUint64(nil, math.Float64bits(f)) }

// Records that were written with schemas come as JSON, whatever the schema's
// language is, with types of other subjects, and with the schema that each
// record names. Each schema is asked for once.
func TestKafkaSchemaRegistry(t *testing.T) {
	t.Parallel()
	k := sharedKafka(t)
	topic := k.createTopic(t, topicOptions{})
	r := startSchemaRegistry(t)
	r.register(1, registered{Schema: `{"type":"record","name":"Order","fields":[
		{"name":"id","type":"long"},{"name":"item","type":"string"},{"name":"note","type":["null","string"]},{"name":"price","type":"double"}]}`})
	r.register(2, registered{Schema: `{"type":"record","name":"Order","fields":[
		{"name":"id","type":"long"},{"name":"status","type":{"type":"enum","name":"Status","symbols":["PLACED","SHIPPED"]}}]}`})
	r.register(3, registered{SchemaType: "PROTOBUF", References: []reference{{"money.proto", "money", 1}}, Schema: `syntax = "proto3";
		import "money.proto";
		message Ignored { int32 n = 1; }
		message Order { int64 order_id = 1; string item = 2; Money price = 3; repeated int32 counts = 4; }`})
	r.name("money", registered{SchemaType: "PROTOBUF", Schema: `syntax = "proto3"; message Money { string currency = 1; int32 cents = 2; }`})
	r.register(4, registered{SchemaType: "JSON", Schema: `{"type":"object","properties":{"id":{"type":"integer"}}}`})

	s := serve(t, kafkaTable(k.brokers, fmt.Sprintf(`
  - path: /orders
    kafka:
      topics: [%s]
      start: earliest
      schema_registry: {url: %q, auth: {basic: {user: %s, password: %s}}, retry: 50ms}
    event: {data: '{key: $key, value: .}'}
`, topic, r.URL, registryUser, registryPassword)))
	c := follow(t, s.url+"/orders")
	key := []byte("ann")
	order := withSchema(1, slices.Concat(binary.AppendVarint(nil, -7), avroString("apple"), []byte{2}, avroString("ripe"), avroDouble(1.5))...)
	shipped := withSchema(2, append(binary.AppendVarint(nil, 8), 2)...)
	money := slices.Concat([]byte{1<<3 | 2, 3}, []byte("EUR"), []byte{2 << 3, 0x96, 0x01}) // 150 cents
	// The second message of its file: a list of one index, 1, in zigzag. Then
	// fields, each behind its number and type.
	message := withSchema(3, slices.Concat([]byte{2, 2}, []byte{1 << 3, 9}, []byte{2<<3 | 2, 3}, []byte("fig"),
		[]byte{3<<3 | 2, byte(len(money))}, money, []byte{4<<3 | 2, 2, 1, 2})...)
	document := withSchema(4, []byte(`{"id": 10}`)...)
	for range 3 {
		for _, value := range [][]byte{order, shipped, message, document} {
			k.send(t, topic, kafkaRecord{Key: key, Value: value})
		}
	}
	want := []string{
		`{"key":"ann","value":{"id":-7,"item":"apple","note":"ripe","price":1.5}}`,
		`{"key":"ann","value":{"id":8,"status":"SHIPPED"}}`,
		`{"key":"ann","value":{"orderId":"9","item":"fig","price":{"currency":"EUR","cents":150},"counts":[1,2]}}`,
		`{"key":"ann","value":{"id":10}}`,
	}
	wait(t, "12 records", func() (any, bool) { return c.events(), len(c.messages()) >= 12 })
	for i, got := range c.messages() {
		if !sameJSON(t, got, want[i%len(want)]) {
			t.Errorf("record %d: got %s, want %s", i, got, want[i%len(want)])
		}
	}
	for id := 1; id <= 4; id++ {
		if got := r.asked(id); got != 1 {
			t.Errorf("schema %d: got asked for %d times, want once", id, got)
		}
	}

	// What nobody can decode is announced, and what follows comes.
	k.send(t, topic, kafkaRecord{Key: key, Value: []byte("plain")}, kafkaRecord{Key: key, Value: withSchema(1, 0xff)},
		kafkaRecord{Key: key, Value: withSchema(99, 1)}, kafkaRecord{Key: key, Value: document})
	wait(t, "the record behind", func() (any, bool) { return c.events(), len(c.messages()) >= 13 })
	gaps := 0
	for _, e := range c.events() {
		if e.Type == "stream.gap" && strings.Contains(e.Data, `"reason":"invalid"`) && strings.Contains(e.Data, `"lost":1`) {
			gaps++
		}
	}
	if gaps != 3 {
		t.Errorf("got %d gaps of one record, want 3: %v", gaps, c.events())
	}

	// While the registry fails, a record with a new schema waits for it.
	r.fail(true)
	r.register(5, registered{Schema: `"long"`})
	k.send(t, topic, kafkaRecord{Key: key, Value: document}, kafkaRecord{Key: key, Value: withSchema(5, 4)}, kafkaRecord{Key: key, Value: document})
	wait(t, "news of the registry", func() (any, bool) { return c.events(), c.has("stream.stale") })
	events := c.events()
	if told := events[len(events)-1].Data; len(c.messages()) != 14 || strings.Contains(told, "127.0.0.1") {
		t.Errorf("got %v, want the record before, and a reason without an address", events[len(events)-2:])
	}
	r.fail(false)
	wait(t, "the records that waited", func() (any, bool) { return c.events(), len(c.messages()) >= 16 })
	if got, want := c.messages()[14], `{"key":"ann","value":2}`; !sameJSON(t, got, want) || len(c.messages()) != 16 {
		t.Errorf("got %q, want %s and one more", c.messages()[14:], want)
	}
	if strings.Contains(s.output.String(), registryPassword) {
		t.Error("got a log with the registry's password, want no secret")
	}
}

// A key that was written with a schema is the key of its event: text if it is
// a string, by which clients are matched and deletions name it.
func TestKafkaSchemaRegistryKey(t *testing.T) {
	t.Parallel()
	k := sharedKafka(t)
	topic := k.createTopic(t, topicOptions{})
	r := startSchemaRegistry(t)
	r.register(1, registered{Schema: `"string"`})
	s := serve(t, kafkaTable(k.brokers, fmt.Sprintf(`
  - path: /users/{user}
    kafka:
      topics: [%s]
      start: earliest
      schema_registry: {url: %q, decode: [key], auth: {basic: {user: %s, password: %s}}}
    key: $key
    match: "{user}"
    history: {replay: all}
`, topic, r.URL, registryUser, registryPassword)))
	for _, user := range []string{"bob", "ann", "bob"} {
		k.send(t, topic, kafkaRecord{Key: withSchema(1, avroString(user)...), Value: []byte("to " + user)})
	}
	k.send(t, topic, kafkaRecord{Key: withSchema(1, avroString("ann")...)})
	c := follow(t, s.url+"/users/ann")
	wait(t, "the records of ann", func() (any, bool) { return c.events(), len(c.events()) >= 2 })
	if e := c.events(); e[0].Data != "to ann" || e[1].Type != "delete" || e[1].Data != "ann" {
		t.Errorf("got %v, want a record and a deletion of ann", e)
	}
}

// sameJSON reports whether two texts are the same JSON, in any order of
// members.
func sameJSON(tb testing.TB, a, b string) bool {
	tb.Helper()
	var normal [2]string
	for i, text := range []string{a, b} {
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			tb.Fatalf("%q: %v", text, err)
		}
		out, err := json.Marshal(v)
		if err != nil {
			tb.Fatal(err)
		}
		normal[i] = string(out)
	}
	return normal[0] == normal[1]
}
