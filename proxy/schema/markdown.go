package schema

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
)

// Markdown returns a table of keys, as GitHub renders it. What is said of
// several keys at once stands with the first of them.
func Markdown(keys []Key) string {
	var b strings.Builder
	b.WriteString("| key | value | default | meaning |\n|---|---|---|---|\n")
	for i, k := range keys {
		standing := standing(k.Default)
		name := k.Path[strings.LastIndexByte(k.Path, '.')+1:]
		meaning := prose(withoutDefault(k.Meaning, standing), name)
		if i > 0 && strings.Contains(k.Meaning, name) && k.Meaning == keys[i-1].Meaning {
			meaning = "see the row above"
		}
		b.WriteString("| `" + k.Path + "` | " + k.Value + " | " + code(standing) + " | " + meaning + " |\n")
	}
	return b.String()
}

// standing returns a default as it is written in a table, "" if it is nothing.
func standing(value any) string {
	if list, ok := value.([]any); ok && len(list) == 1 {
		value = list[0]
	}
	if value == nil {
		return ""
	}
	if v := reflect.ValueOf(value); v.Kind() == reflect.String {
		return v.String()
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return "" // none of what plainValue returns
	}
	return strings.TrimSpace(b.String())
}

// withoutDefault takes away what the column beside the comment says.
func withoutDefault(text, standing string) string {
	if standing == "" {
		return text
	}
	value := regexp.QuoteMeta(standing)
	if standing == "0s" {
		value = "0s?"
	}
	text = regexp.MustCompile(`(^|[.] )(The )?[Dd]efault (is )?`+value+`\.( |\n|$)`).ReplaceAllString(text, "$1")
	return regexp.MustCompile(`[;,] default `+value+`$`).ReplaceAllString(strings.TrimSpace(text), "")
}

var (
	listed  = regexp.MustCompile(`^ +- (?:([\w-]+): )?(.*)$`) // an item of a list, or what a word means
	special = strings.NewReplacer(`|`, `\|`, `*`, `\*`, `<`, `\<`, `[`, `\[`, "`", "\\`")

	// literal matches what is code in a comment: a template, something in
	// braces or quotes, a variable, and names with a dot or an underscore; and
	// addresses, which aren't, but have those in them.
	literal = regexp.MustCompile(`https?://[^\s(),;]+|\{\{[^{}]+\}\}|\{[^{}]*\}|"[^"]*"|\$[A-Za-z][\w.]*\w|\b[a-z]+(?:[._][a-z]+)+\b`)
)

// prose returns a comment as it stands in a cell. It may begin with the name
// of its key.
func prose(text, name string) string {
	var lines []string
	for line := range strings.Lines(text) {
		m := listed.FindStringSubmatch(strings.TrimRight(line, "\n"))
		switch {
		case m == nil:
			line = strings.TrimSpace(line)
			rest, ok := strings.CutPrefix(line, name)
			if ok && strings.HasPrefix(strings.TrimPrefix(rest, ","), " ") {
				line = code(name) + marked(rest)
			} else {
				line = marked(line)
			}
		case m[1] == "":
			line = "• " + marked(m[2])
		default:
			line = code(m[1]) + ": " + marked(m[2])
		}
		if line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "<br>")
}

// marked returns text with its code marked as such.
func marked(text string) string {
	var b strings.Builder
	last := 0
	for _, at := range literal.FindAllStringIndex(text, -1) {
		b.WriteString(special.Replace(text[last:at[0]]))
		found := text[at[0]:at[1]]
		last = at[1]
		if strings.HasPrefix(found, "http") {
			b.WriteString(found)
			continue
		}
		if bare := strings.Trim(found, `"`); bare != "" {
			found = bare
		}
		b.WriteString(code(found))
	}
	b.WriteString(special.Replace(text[last:]))
	return b.String()
}

// code returns text as code in a cell; nothing is none.
func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(text, "|", `\|`) + "`"
}
