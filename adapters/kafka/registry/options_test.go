package registry

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/httpclient"
	"sidestream/adapters/secret"
	"sidestream/proxy/strictyaml"
)

// decodeOptions reads options as they stand in YAML, on top of the defaults.
func decodeOptions(t *testing.T, text string) (Options, error) {
	t.Helper()
	doc, err := strictyaml.Parse("routes.yaml", []byte(text), strictyaml.References{})
	if err != nil {
		t.Fatal(err)
	}
	o := Defaults()
	doc.Decode(doc.Root, "schema_registry", &o)
	return o, doc.Err()
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		yaml string
		want func(*Options)
	}{
		{`{}`, func(*Options) {}},
		{`url: https://registry:8081/contexts/.prod`, func(o *Options) { o.URL = "https://registry:8081/contexts/.prod" }},
		{`{url: http://r, decode: [key, value], schemas: 10, max_schema: 64KiB, references: 0, max_json: 1MiB}`, func(o *Options) {
			o.URL, o.Decode, o.Schemas, o.MaxSchema, o.References, o.MaxJSON = "http://r", []Part{Key, Value}, 10, 64<<10, 0, 1<<20
		}},
		{`{url: http://r, timeout: 1s, not_found: 0s, retry: 1m}`, func(o *Options) {
			o.URL, o.Timeout, o.NotFound, o.Retry = "http://r", adapters.Duration(time.Second), 0, adapters.Duration(time.Minute)
		}},
		{`{url: http://r, avro: {unions: tagged}, protobuf: {names: proto, defaults: true}}`, func(o *Options) {
			o.URL, o.Avro.Unions, o.Protobuf = "http://r", unionsTagged, Protobuf{Names: namesProto, Defaults: true}
		}},
		{`{url: http://r, auth: {basic: {user: k, password: s}}, redirects: none, tls: {ca: /ca.pem}}`, func(o *Options) {
			o.URL, o.HTTP.Redirects, o.HTTP.TLS.CA = "http://r", "none", "/ca.pem"
			o.HTTP.Auth.Basic = &httpclient.Basic{User: secret.Text("k"), Password: secret.Text("s")}
		}},
	} {
		got, err := decodeOptions(t, c.yaml)
		want := Defaults()
		c.want(&want)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v, want %+v", c.yaml, got, err, want)
		}
		var errs adapters.OptionErrors
		if got.Check(&errs, "schema_registry"); errs.Err() != nil {
			t.Errorf("%s: got complaints %v, want none", c.yaml, errs.Err())
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct{ yaml, path, want string }{
		{`schemas: 5`, "url", "is missing"},
		{`auth: {bearer: x}`, "url", "is missing"},
		{`url: registry:8081`, "url", "http or https URL"},
		{`url: "http://"`, "url", "http or https URL"},
		{`url: ftp://r`, "url", "http or https URL"},
		{`url: "http://u:hunter2@r"`, "url", "auth.basic"},
		{`url: "http://r?x"`, "url", "query"},
		{`url: "http://r#x"`, "url", "fragment"},
		{`{url: http://r, timeout: 99ms}`, "timeout", "from 100ms to 1m0s"},
		{`{url: http://r, timeout: 61s}`, "timeout", "out of bounds"},
		{`{url: http://r, schemas: 0}`, "schemas", "from 1 to 100000"},
		{`{url: http://r, schemas: 100001}`, "schemas", "out of bounds"},
		{`{url: http://r, max_schema: 1023}`, "max_schema", "from 1KiB to 16MiB"},
		{`{url: http://r, max_schema: 17MiB}`, "max_schema", "out of bounds"},
		{`{url: http://r, references: -1}`, "references", "from 0 to 1000"},
		{`{url: http://r, references: 1001}`, "references", "out of bounds"},
		{`{url: http://r, max_json: 1}`, "max_json", "from 1KiB to 1GiB"},
		{`{url: http://r, not_found: 25h}`, "not_found", "from 0s to 24h0m0s"},
		{`{url: http://r, retry: 2m}`, "retry", "from 0s to 1m0s"},
		{`{url: http://r, decode: []}`, "decode", "is empty"},
		{`{url: http://r, decode: [value, header]}`, "decode[1]", `"header" is not known; valid: value, key`},
		{`{url: http://r, decode: [key, key]}`, "decode[1]", "is there twice"},
		{`{url: http://r, avro: {unions: x}}`, "avro.unions", "valid: plain, tagged"},
		{`{url: http://r, protobuf: {names: x}}`, "protobuf.names", "valid: json, proto"},
		{`{url: http://r, auth: {bearer: ""}}`, "auth.bearer", "must be a token"},
		{`{url: http://r, tls: {cert: /c}}`, "tls.cert", "needs its private key"},
		{`{url: http://r, max_redirects: 0}`, "max_redirects", "out of bounds"},
	} {
		o, err := decodeOptions(t, c.yaml)
		var errs adapters.OptionErrors
		if err == nil {
			o.Check(&errs, "schema_registry")
			err = errs.Err()
		}
		var found bool
		for _, e := range optionErrors(err) {
			found = found || e.Path == "schema_registry."+c.path && strings.Contains(e.Err.Error(), c.want)
		}
		if err != nil && strings.Contains(err.Error(), c.want) && !found && strings.Contains(err.Error(), "routes.yaml") {
			found = true // the decoder knows the words of a choice itself
		}
		if !found {
			t.Errorf("%s: got %v, want a complaint of %s: …%s…", c.yaml, err, c.path, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want no secret in it", c.yaml, err)
		}
	}
}

func TestDecodes(t *testing.T) {
	o := Defaults()
	equal(t, "values without a registry", o.Decodes(Value), false)
	o.URL = "http://r"
	equal(t, "values", o.Decodes(Value), true)
	equal(t, "keys", o.Decodes(Key), false)
}

func TestDescribe(t *testing.T) {
	o := Defaults()
	equal(t, "without a registry", o.Describe(), "")

	o.URL, o.Decode = "https://registry:8081", []Part{Value, Key}
	o.HTTP.Auth.Basic = &httpclient.Basic{User: secret.Text("u"), Password: secret.Text("hunter2")}
	o.HTTP.Headers = map[string]secret.Value{"X-Key": secret.Text("hunter2")}
	o.Protobuf = Protobuf{Names: namesProto, Defaults: true}
	equal(t, "description", o.Describe(), `values and keys are decoded to JSON by the schema registry https://registry:8081
with Authorization: Basic (secret)
with X-Key: (secret)
asked once for each schema, within 5s; 1000 schemas are kept
a schema may have 1MiB with up to 100 references, and a payload's JSON 16MiB
Avro: unions are plain; Protobuf: names are those of the schema, and defaults are written`)
}
