package generate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"text/template"
	"time"

	"sidestream/adapters"
)

// A scene is what a template is executed with.
type scene struct {
	N    int
	Time time.Time
	Vars map[string]string
}

// parse returns the template of a payload, once it has been tried: a field,
// function or variable that doesn't exist shows at once.
func parse(text string, vars []string, maxBytes int) (*template.Template, error) {
	random := rand.New(rand.NewPCG(1, 1))
	t, err := template.New("data").Option("missingkey=error").Funcs(functions(random)).Parse(text)
	if err != nil {
		return nil, err
	}
	sample := scene{N: 1, Time: time.Now(), Vars: make(map[string]string, len(vars))}
	for _, name := range vars {
		sample.Vars[name] = "x"
	}
	if _, err := execute(t, sample, maxBytes); err != nil {
		return nil, err
	}
	return t, nil
}

// functions returns what templates may call, with random as the source of
// what is random.
func functions(random *rand.Rand) template.FuncMap {
	return template.FuncMap{
		"random": func(lo, hi int) (int, error) {
			if lo > hi {
				return 0, fmt.Errorf("the first argument, %d, is above the second, %d", lo, hi)
			}
			// The difference may exceed an int, and wraps around as it must.
			span := uint64(hi) - uint64(lo) + 1
			if span == 0 { // all there are
				return int(random.Uint64()), nil
			}
			return int(uint64(lo) + random.Uint64N(span)), nil
		},
		"pick": func(list ...any) (any, error) {
			if len(list) == 0 {
				return nil, errors.New("there is nothing to pick from")
			}
			return list[random.IntN(len(list))], nil
		},
		"json": func(v any) (string, error) {
			var b bytes.Buffer
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			err := enc.Encode(v)
			return string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), err
		},
	}
}

// execute returns what t makes of s. An error is permanent.
func execute(t *template.Template, s scene, maxBytes int) ([]byte, error) {
	out := bounded{max: maxBytes}
	switch err := t.Execute(&out, s); {
	case errors.Is(err, errTooLarge):
		return nil, adapters.Permanent("event too large", fmt.Errorf("more than max_bytes, %d", maxBytes))
	case err != nil:
		return nil, adapters.Permanent("event could not be made", err)
	}
	return out.data, nil
}

// bounded is a writer that takes no more than max bytes.
type bounded struct {
	data []byte
	max  int
}

var errTooLarge = errors.New("too large")

func (b *bounded) Write(p []byte) (int, error) {
	if len(p) > b.max-len(b.data) {
		return 0, errTooLarge
	}
	b.data = append(b.data, p...)
	return len(p), nil
}
