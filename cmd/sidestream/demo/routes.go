package demo

import (
	_ "embed" // for the table
	"encoding/json"
	"strings"
)

//go:embed routes.yaml
var table string

// Routes returns the demonstration's routing table, with the application
// reached at upstream, a URL.
func Routes(upstream string) []byte {
	// JSON text is YAML text too, and what looks like a reference in it has
	// to be written $${.
	quoted, err := json.Marshal(upstream)
	if err != nil {
		panic(err) // a string always can be
	}
	value := strings.ReplaceAll(string(quoted), "${", "$${")
	return []byte(strings.Replace(table, "${UPSTREAM}", value, 1))
}
