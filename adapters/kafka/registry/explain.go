package registry

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"sidestream/adapters/httpclient"
)

// Describe says in words which registry is asked and what becomes of payloads,
// secrets masked; "" if there is no registry.
func (o *Options) Describe() string {
	if o.URL == "" {
		return ""
	}
	parts := make([]string, len(o.Decode))
	for i, p := range o.Decode {
		parts[i] = string(p) + "s"
	}
	lines := []string{strings.Join(parts, " and ") + " are decoded to JSON by the schema registry " + o.URL}
	lines = append(lines, o.describeHeaders()...)
	lines = append(lines,
		fmt.Sprintf("asked once for each schema, within %s; %d schemas are kept", o.Timeout, o.Schemas),
		fmt.Sprintf("a schema may have %s with up to %d references, and a payload's JSON %s", o.MaxSchema, o.References, o.MaxJSON),
		"Avro: unions are "+string(o.Avro.Unions)+o.describeProtobuf(),
	)
	return strings.Join(lines, "\n")
}

// describeHeaders lists the headers that requests have, as they are shown.
func (o *Options) describeHeaders() []string {
	client := httpclient.New(o.HTTP)
	defer client.Close()
	shown := client.Describe(&http.Request{Header: http.Header{}}, nil)
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(shown)) {
		lines = append(lines, "with "+name+": "+strings.Join(shown[name], ", "))
	}
	return lines
}

func (o *Options) describeProtobuf() string {
	text := "; Protobuf: names are those of JSON"
	if o.Protobuf.Names == namesProto {
		text = "; Protobuf: names are those of the schema"
	}
	if o.Protobuf.Defaults {
		text += ", and defaults are written"
	}
	return text
}
