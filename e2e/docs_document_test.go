package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A docPage is a Markdown document of the project. What its tests need to know
// stands in comments, which readers of the rendered page don't see:
//
//	<!-- ports: 8080 3000 -->          these numbers stand for free ports, wherever they are run, written or shown
//	<!-- behind: nginx on 3000 -->     that is there, with the documents below; or kafka
//	<!-- behind: /x is {"a": 1} -->    from here on
//
// and directly before a fenced block:
//
//	<!-- file: routes.yaml -->         it is written to that file; with + before the name, at its end
//	<!-- run -->                       the page's shell runs it, in a folder of the page's own; it must not fail
//	<!-- run: ready 8080, clients 2 --> and then those ports are listened on, and the metrics at 9090 tell of so many clients
//	<!-- run: in another terminal -->  it goes on beside the rest of the page
//	<!-- run: again until it shows this -->  what takes a moment to come about
//	<!-- shows -->                     these lines are written, in this order, since the block before began
//	<!-- not run: why -->
type docPage struct {
	name  string // from the root of the project
	text  string
	steps []docStep
}

// A docStep is a comment of a page, with the block that it is about, if any.
type docStep struct {
	line     int
	mark     string // before the colon: "run"
	argument string // after it
	block    *docBlock
}

// A docBlock is what stands between two fences.
type docBlock struct {
	line     int // of the opening fence
	language string
	text     string
}

var (
	docFence   = regexp.MustCompile("^( *)```(\\w*)$")
	docComment = regexp.MustCompile(`^ *<!-- (ports|behind|file|run|shows|not run)(?:: (.*))? -->$`)
)

// docPages returns the documents of the project.
func docPages(t *testing.T) []*docPage {
	t.Helper()
	names, err := filepath.Glob("../*.md")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir("../docs", func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var all []*docPage
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		p := &docPage{name: strings.TrimPrefix(filepath.ToSlash(name), "../"), text: string(text)}
		if err := p.parse(); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// parse finds the page's steps.
func (p *docPage) parse() error {
	var (
		pending *docStep  // a comment that the next line may belong to
		open    *docBlock // whose closing fence is yet to come
		indent  string
	)
	for i, line := range strings.Split(p.text, "\n") {
		if open != nil {
			if line == indent+"```" {
				open = nil
				continue
			}
			open.text += strings.TrimPrefix(line, indent) + "\n"
			continue
		}
		if m := docFence.FindStringSubmatch(line); m != nil {
			indent, open = m[1], &docBlock{line: i + 1, language: m[2]}
			if pending == nil {
				pending = &docStep{line: i + 1}
			}
			pending.block = open
			p.steps = append(p.steps, *pending)
			pending = nil
			continue
		}
		if pending != nil {
			return fmt.Errorf("%s:%d: no block follows the comment %q", p.name, pending.line, pending.mark)
		}
		m := docComment.FindStringSubmatch(line)
		switch {
		case m == nil:
		case m[1] == "ports" || m[1] == "behind":
			p.steps = append(p.steps, docStep{line: i + 1, mark: m[1], argument: m[2]})
		default:
			pending = &docStep{line: i + 1, mark: m[1], argument: m[2]}
		}
	}
	if open != nil {
		return fmt.Errorf("%s:%d: the block isn't closed", p.name, open.line)
	}
	return nil
}

// isShell reports whether somebody would paste the block into a terminal.
func (b *docBlock) isShell() bool {
	return slices.Contains([]string{"sh", "bash", "shell", "console"}, b.language)
}

// TestDocumentsAccountForCommands wants each block of commands to be run by
// TestDocuments, or to say why it isn't.
func TestDocumentsAccountForCommands(t *testing.T) {
	var run, not int
	for _, p := range docPages(t) {
		for _, s := range p.steps {
			if s.block == nil || !s.block.isShell() {
				continue
			}
			switch {
			case s.mark == "run":
				run++
			case s.mark == "not run" && s.argument != "":
				not++
				t.Logf("%s:%d isn't run: %s", p.name, s.block.line, s.argument)
			default:
				t.Errorf("%s:%d: got commands that nothing is said of, want a comment: run, or why not", p.name, s.block.line)
			}
		}
	}
	t.Logf("%d blocks of commands are run, %d aren't", run, not)
	if run < not {
		t.Errorf("got %d blocks that are run and %d that aren't, want most of them run", run, not)
	}
}

// tableKey matches a key that routing tables begin with.
var tableKey = regexp.MustCompile(`(?m)^(listen|admin|upstream|trusted_proxies|limits|drain|history|defaults|routes):`)

// TestDocumentsHaveValidTables wants each YAML block that is a routing table, or
// a part of one, to be valid.
func TestDocumentsHaveValidTables(t *testing.T) {
	for _, name := range []string{"GITHUB_SECRET", "EVENTS_TOKEN", "API_TOKEN"} {
		t.Setenv(name, "what the documents' tables refer to")
	}
	tables := 0
	for _, p := range docPages(t) {
		for _, s := range p.steps {
			if s.block == nil || s.block.language != "yaml" {
				continue
			}
			table := s.block.text
			routes := strings.HasPrefix(strings.TrimSpace(table), "- path:")
			if !routes && !tableKey.MatchString(table) {
				continue // something else in YAML
			}
			if routes {
				table = "routes:\n" + table
			}
			if !regexp.MustCompile(`(?m)^upstream:`).MatchString(table) {
				table = "upstream: http://127.0.0.1:3000\n" + table
			}
			tables++
			file := filepath.Join(t.TempDir(), "routes.yaml")
			writeFile(t, file, table)
			if _, stderr, code := run(t, "validate", file); code != 0 {
				t.Errorf("%s:%d: got a table that isn't valid, want one: %s", p.name, s.block.line, strings.ReplaceAll(stderr, file, "routes.yaml"))
			}
		}
	}
	if tables < 15 {
		t.Errorf("got %d tables in documents, want at least 15", tables)
	}
}

var (
	docLink    = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	codeOnLine = regexp.MustCompile("`[^`\n]*`")
	docHeading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notInSlug  = regexp.MustCompile(`[^\p{L}\p{N}\- _]`)
	linkText   = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

// anchors returns what GitHub names a page's headings by.
func (p *docPage) anchors() map[string]bool {
	all := map[string]bool{}
	for _, m := range docHeading.FindAllStringSubmatch(p.withoutBlocks(), -1) {
		text := linkText.ReplaceAllString(m[1], "$1")
		slug := strings.ReplaceAll(notInSlug.ReplaceAllString(strings.ToLower(text), ""), " ", "-")
		for n := 1; all[slug]; n++ {
			slug = fmt.Sprintf("%s-%d", strings.TrimRight(slug, "-0123456789"), n)
		}
		all[slug] = true
	}
	return all
}

// withoutBlocks returns the page's text without what is fenced.
func (p *docPage) withoutBlocks() string {
	var b strings.Builder
	fenced := false
	for line := range strings.Lines(p.text) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		} else if !fenced {
			b.WriteString(line)
		}
	}
	return b.String()
}

// TestDocumentsLinks looks for what links within the project lead to: files,
// and headings in them.
func TestDocumentsLinks(t *testing.T) {
	all := map[string]*docPage{}
	for _, p := range docPages(t) {
		all[p.name] = p
	}
	charts, err := filepath.Glob("../helm/*/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range charts {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		p := &docPage{name: strings.TrimPrefix(filepath.ToSlash(name), "../"), text: string(text)}
		all[p.name] = p
	}
	links := 0
	for _, p := range all {
		for _, m := range docLink.FindAllStringSubmatch(codeOnLine.ReplaceAllString(p.withoutBlocks(), ""), -1) {
			target := m[1]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			links++
			file, anchor, _ := strings.Cut(target, "#")
			to := filepath.ToSlash(filepath.Join(filepath.Dir(p.name), file))
			if file == "" {
				to = p.name
			}
			if _, err := os.Stat(filepath.Join("..", to)); err != nil {
				t.Errorf("%s: got a link to %s, want a file that there is", p.name, target)
			} else if to := all[to]; anchor != "" && (to == nil || !to.anchors()[anchor]) {
				t.Errorf("%s: got a link to %s, want a heading that there is", p.name, target)
			}
		}
	}
	if links == 0 {
		t.Error("got no links within the project, want some")
	}
}

// TestDocumentsNameDependencies looks in README.md for each module that the two
// modules of the project ask for.
func TestDocumentsNameDependencies(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	required := regexp.MustCompile(`(?m)^(?:require |\t)([\w./-]+) v\S+$`)
	for _, name := range []string{"../go.mod", "go.mod"} {
		mod, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		modules := required.FindAllStringSubmatch(string(mod), -1)
		if len(modules) < 5 {
			t.Fatalf("got %d modules in %s, want more", len(modules), name)
		}
		for _, m := range modules {
			// Of several modules in one repository this is what they share.
			repository := strings.Join(strings.SplitN(m[1], "/", 4)[:min(3, strings.Count(m[1], "/")+1)], "/")
			if !strings.Contains(string(readme), "`"+repository) {
				t.Errorf("got nothing about %s in README.md, want a line with the reason why", m[1])
			}
		}
	}
}
