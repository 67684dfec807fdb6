package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of clients in docs/clients.md anew")

const (
	clientsDoc     = "../docs/clients.md"
	beginOfClients = "<!-- This part is written by go test -run TestClientsDocument -update in e2e. -->\n"
	endOfClients   = "<!-- The end of that part. -->\n"
	conformsMark   = "✓"
	asAdvised      = ", as advised"
)

// TestClientsDocument holds docs/clients.md to the table that TestRealClients
// checks, and to the versions that it runs.
func TestClientsDocument(t *testing.T) {
	text, err := os.ReadFile(clientsDoc)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), beginOfClients)
	_, after, ok2 := strings.Cut(rest, endOfClients)
	if !ok || !ok2 {
		t.Fatalf("got %s without %q and, after it, %q, want both", clientsDoc, beginOfClients, endOfClients)
	}
	want := before + beginOfClients + clientsSection(t) + endOfClients + after
	if *update {
		writeFile(t, clientsDoc, want)
		return
	}
	if string(text) != want {
		t.Errorf("got %s that isn't what the table in clients_table_test.go says; go test -run TestClientsDocument -update writes it", clientsDoc)
	}
}

// clientsSection returns the table of clients, and the notes below it.
func clientsSection(t *testing.T) string {
	t.Helper()
	versions := clientVersions(t)
	var b strings.Builder
	b.WriteString("\n| |")
	for _, behaviour := range behaviours {
		fmt.Fprintf(&b, " %s |", strings.ReplaceAll(string(behaviour.name), " ", "&nbsp;"))
	}
	b.WriteString("\n|---|" + strings.Repeat(":-:|", len(behaviours)) + "\n")
	var notes []string
	for _, c := range realClients {
		fmt.Fprintf(&b, "| %s |", c.title(t, versions))
		for _, behaviour := range behaviours {
			d, deviates := c.deviation(behaviour.name)
			mark := conformsMark
			if deviates {
				note := strings.TrimSuffix(c.name, asAdvised) + " " + d.text
				if !slices.Contains(notes, note) {
					notes = append(notes, note)
				}
				mark = fmt.Sprintf("[%d](#notes)", slices.Index(notes, note)+1)
			}
			fmt.Fprintf(&b, " %s |", mark)
		}
		b.WriteString("\n")
	}
	b.WriteString("\nWhat the columns mean:\n\n")
	for _, behaviour := range behaviours {
		fmt.Fprintf(&b, "- **%s**: %s\n", behaviour.name, behaviour.text)
	}
	b.WriteString("\nWhat is advised:\n\n")
	for _, c := range realClients {
		if c.advised != "" {
			fmt.Fprintf(&b, "- **%s**: %s\n", strings.TrimSuffix(c.name, asAdvised), c.advised)
		}
	}
	b.WriteString("\n### Notes\n\n")
	for i, note := range notes {
		fmt.Fprintf(&b, "%d. %s.\n", i+1, note)
	}
	b.WriteString("\n")
	return b.String()
}

// title returns the client's name with its version, if it is one of versions.
func (c *realClient) title(t *testing.T, versions map[string]string) string {
	t.Helper()
	if c.module == "" {
		return c.name
	}
	version, ok := versions[c.module]
	if !ok {
		t.Fatalf("got no version of %s in node/package-lock.json or go.mod, want one", c.module)
	}
	if name, advised := strings.CutSuffix(c.name, asAdvised); advised {
		return name + " " + version + asAdvised
	}
	return c.name + " " + version
}

// clientVersions returns the versions of the modules that are used here.
func clientVersions(t *testing.T) map[string]string {
	t.Helper()
	versions := map[string]string{}
	text, err := os.ReadFile(filepath.Join("node", "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Packages map[string]struct{ Version string }
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		t.Fatal(err)
	}
	for path, p := range lock.Packages {
		versions[strings.TrimPrefix(path, "node_modules/")] = p.Version
	}
	if text, err = os.ReadFile("go.mod"); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) >= 2 {
			versions[fields[0]] = strings.TrimPrefix(fields[1], "v")
		}
	}
	return versions
}
