package schema_test

import (
	"errors"
	"slices"
	"strconv"

	"gopkg.in/yaml.v3"

	"sidestream/adapters"
)

// mode is one of a few words, some of which YAML takes for something else.
type mode string

func (mode) Values() []string { return []string{"auto", "true", "1.2"} }

func (m *mode) UnmarshalText(text []byte) error {
	if !slices.Contains(m.Values(), string(text)) {
		return errors.New("no mode")
	}
	*m = mode(text)
	return nil
}

// word is a text that only its own UnmarshalText knows.
type word struct{ text string }

func (w *word) UnmarshalText(text []byte) error {
	w.text = string(text)
	return nil
}

// span is a mapping, or a duration for both ends of it.
type span struct {
	Min adapters.Duration `yaml:"min"`
	Max adapters.Duration `yaml:"max"`
}

func (s *span) UnmarshalText(text []byte) error {
	s.Max = s.Min
	return s.Min.UnmarshalText(text)
}

func (*span) Scalar() any { return adapters.Duration(0) }

func (s span) MarshalText() ([]byte, error) { return s.Min.MarshalText() }

// count is a number or a word for one.
type count int

func (count) Values() []string { return []string{"all"} }

func (count) Scalar() any { return uint(0) }

func (c *count) UnmarshalText(text []byte) error {
	if string(text) == "all" {
		*c = -1
		return nil
	}
	_, err := strconv.ParseUint(string(text), 10, 32)
	return err
}

// tree leads to itself.
type tree struct {
	Name string  `yaml:"name"`
	Left *tree   `yaml:"left"`
	More []tree  `yaml:"more"`
	Size float64 `yaml:"size"`
}

type inlined struct {
	In adapters.Size `yaml:"in"`
}

// options has everything that the decoder knows.
type options struct {
	Text   string            `yaml:"text"`
	Bool   bool              `yaml:"bool"`
	Int    int               `yaml:"int"`
	Uint   uint8             `yaml:"uint"`
	Float  float64           `yaml:"float"`
	Part   adapters.Fraction `yaml:"part"`
	Every  adapters.Duration `yaml:"every"`
	Secret adapters.Secret   `yaml:"secret"`
	Maybe  *int              `yaml:"maybe"`
	List   []string          `yaml:"list"`
	Map    map[string]int    `yaml:"map"`
	Maps   map[string]tree   `yaml:"maps"`
	Mode   mode              `yaml:"mode"`
	Word   word              `yaml:"word"`
	Span   span              `yaml:"span"`
	Spans  []span            `yaml:"spans"`
	Count  count             `yaml:"count"`
	Tree   *tree             `yaml:"tree"`
	Inner  struct {
		Deep int `yaml:"deep"`
	} `yaml:"inner"`
	inlined `yaml:",inline"`
	Ignored string
	Pairs   []struct {
		A int `yaml:"a"`
	} `yaml:"pairs"`
}

type table struct {
	Options  options `yaml:"options"`
	Defaults struct {
		Level int                   `yaml:"level"`
		Rest  map[string]*yaml.Node `yaml:",rest"`
	} `yaml:"defaults"`
	Routes []yaml.Node `yaml:"routes"`
}

type route struct {
	Path  string                `yaml:"path"`
	Level int                   `yaml:"level"`
	Rest  map[string]*yaml.Node `yaml:",rest"`
}

type sourceOptions struct {
	Every adapters.Duration `yaml:"every"`
}
