package kafka

import (
	"errors"
	"fmt"
	"strings"

	"sidestream/adapters"
)

// maxTopicName is the longest name of a topic, as brokers have it.
const maxTopicName = 249

// topics are the names of topics, in which variables may stand.
type topics []template

// parseTopics returns the topics that the option "topics" lists, with the
// variables of route. All that is wrong is in the error.
func parseTopics(list []string, route adapters.Route) (topics, error) {
	var c adapters.OptionErrors
	c.Refuse(len(list) == 0, "topics", "is needed: the names of one or more topics")
	if len(list) > maxTopics {
		c.Refuse(true, "topics", "there are %d; the most is %d", len(list), maxTopics)
		return nil, c.Err()
	}
	var all topics
	texts := map[string]bool{}
	names := map[uint32]string{}
	for i, text := range list {
		path := "topics"
		if len(list) > 1 {
			path = fmt.Sprintf("topics[%d]", i)
		}
		t, err := parseTopic(text, route)
		if err != nil {
			c.Refuse(true, path, "%q: %w", text, err)
			continue
		}
		c.Refuse(texts[text], path, "%q is there twice", text)
		texts[text] = true
		if name, ok := t.fixed(); ok {
			other, taken := names[hashName(name)]
			c.Refuse(taken && other != name, path, "positions can't tell %q from %q; read them in two routes", name, other)
			names[hashName(name)] = name
		}
		all = append(all, t)
	}
	return all, c.Err()
}

func parseTopic(text string, route adapters.Route) (template, error) {
	t, err := parseTemplate(text, false, route)
	if err != nil {
		return nil, err
	}
	longest := 0
	for _, p := range t {
		if strings.ContainsFunc(p.text, func(r rune) bool { return !nameRune(r) }) {
			return nil, errTopicName
		}
		longest += max(len(p.text), 1) // a variable is one byte at least
	}
	if name, ok := t.fixed(); longest > maxTopicName || ok && !legalTopic(name) {
		return nil, errTopicName
	}
	return t, nil
}

// legalTopic reports whether name, which has no characters that names don't
// have, is that of a topic (org.apache.kafka.common.internals.Topic).
func legalTopic(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= maxTopicName
}

// expand returns the names for vars, in the order in which they are
// configured. Its errors are [adapters.ErrBadVariable].
func (t topics) expand(vars adapters.Vars) ([]string, error) {
	names := make([]string, len(t))
	seen := make(map[uint32]bool, len(t))
	for i, tpl := range t {
		name, err := tpl.expand(vars, checkTopicPart)
		if err != nil {
			return nil, err
		}
		switch {
		case !legalTopic(name):
			return nil, badVariable("topic", errTopicName)
		case reserved(name) > reserved(tpl.prefix()):
			return nil, badVariable("topic", errReserved)
		case seen[hashName(name)]:
			return nil, badVariable("topic", errTwice)
		}
		seen[hashName(name)] = true
		names[i] = name
	}
	return names, nil
}

// reserved counts the underscores, up to two, with which name begins. Names
// with one are those of the tools around Kafka (_schemas), and with two those
// of Kafka itself (__consumer_offsets), to which what a client chooses must not
// lead.
func reserved(name string) int {
	return len(name[:min(len(name), 2)]) - len(strings.TrimLeft(name[:min(len(name), 2)], "_"))
}

func checkTopicPart(value string) error {
	switch {
	case value == "":
		return errEmpty
	case strings.ContainsFunc(value, func(r rune) bool { return r == '.' || !nameRune(r) }):
		return errCharacter
	}
	return nil
}

var (
	errTopicName = fmt.Errorf("is no name of a topic: letters, digits, dots, - and _, from 1 to %d of them, and more than one or two dots", maxTopicName)
	errReserved  = errors.New("the variable makes a name that is reserved: one that begins with an underscore")
	errTwice     = errors.New("the variables make two names that are the same, or that positions can't tell apart")
)
