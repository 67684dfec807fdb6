package proxy

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// A mask hides what a table has by reference (${…}) wherever it turns up in a
// text: as it is, and as it is written in a URL or in JSON.
type mask struct{ replace *strings.Replacer }

// notSecret are the values that a table may well refer to without their being
// secrets: addresses, and what is too short to be one.
var notSecret = regexp.MustCompile(`^(https?://[^@?]*|[\w.-]*:[0-9]{1,5}|.{0,3}|[0-9]{1,5}|[0-9]+(ms|s|m|h)|true|false)$`)

func newMask(referenced []string) mask {
	var pairs []string
	slices.SortFunc(referenced, func(a, b string) int { return len(b) - len(a) }) // what holds another comes first
	for _, value := range referenced {
		if notSecret.MatchString(value) {
			continue
		}
		quoted, _ := json.Marshal(value)
		for _, form := range []string{value, url.QueryEscape(value), url.PathEscape(value), string(quoted[1 : len(quoted)-1])} {
			pairs = append(pairs, form, masked)
		}
	}
	return mask{strings.NewReplacer(pairs...)}
}

func (m mask) text(s string) string { return m.replace.Replace(s) }
