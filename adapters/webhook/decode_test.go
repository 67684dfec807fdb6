package webhook

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"unicode/utf8"
)

func TestFormats(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	for name, test := range map[string]struct {
		format      Format
		contentType string
		body        string
		want        string
	}{
		"JSON":                {formatAuto, "application/json; charset=utf-8", " {\"a\": 1}\n", " {\"a\": 1}\n"},
		"JSON by its suffix":  {formatAuto, "application/vnd.github+json", `[]`, `[]`},
		"JSON with a mark":    {formatAuto, "application/json", "\ufeff1", "1"},
		"JSON in plain text":  {formatJSON, "text/plain; charset=latin1", `"é"`, `"é"`},
		"form":                {formatAuto, form, "b=2&a=%3C1%3E+x&b=3&c", `{"a":"<1> x","b":["2","3"],"c":""}`},
		"form of nothing":     {formatAuto, form, "", `{}`},
		"form without a type": {formatForm, "", "a=1", `{"a":"1"}`},
		"form as text":        {formatText, form, "a=1", `a=1`},
		"text":                {formatAuto, "text/plain", "grüße\r\n", "grüße\r\n"},
		"text with a mark":    {formatAuto, "text/plain; charset=UTF-8", "\ufeffa", "a"},
		"text in Latin-1":     {formatAuto, `text/csv; charset="ISO-8859-1"`, "gr\xfc\xdfe", "grüße"},
		"text in UTF-16":      {formatAuto, "text/plain; charset=utf-16le", "a\x00\xac\x20", "a€"},
		"text in UTF-16, BOM": {formatAuto, "text/plain; charset=utf-16le", "\xff\xfea\x00", "a"},
		"bytes":               {formatAuto, "image/png", "\x89PNG\r\n\x00\xff", "\x89PNG\r\n\x00\xff"},
		"bytes without type":  {formatAuto, "", "\xff", "\xff"},
		"bytes of JSON":       {formatBytes, "application/json", "{", "{"},
		"several parts":       {formatAuto, "multipart/form-data; boundary=x", "--x--", "--x--"},
		"nothing":             {formatAuto, "", "", ""},
	} {
		r := post(test.body)
		if test.contentType != "" {
			r.Header.Set("Content-Type", test.contentType)
		}
		e := one(t, open(t, func(o *Options) { o.Format = test.format }), r)
		if string(e.Data) != test.want || e.Type != "" || e.ID != "" || !e.Time.IsZero() || e.Meta != nil {
			t.Errorf("%s: got %+v with data %q, want no more than %q", name, e, e.Data, test.want)
		}
	}
}

// FuzzForm: what is taken for a form is a JSON object that says the same.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{"", "a=1&b=2&a=3", "a=%00&=", "%ff=1", "a;b", "&&=&", "payload=%7B%7D"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		out, err := formOf([]byte(body))
		if err != nil {
			isRefusal(t, err)
			return
		}
		var object map[string]any
		if err := json.Unmarshal(out, &object); err != nil || !utf8.Valid(out) {
			t.Fatalf("got %q (%v), want a JSON object", out, err)
		}
		fields, err := url.ParseQuery(body)
		if err != nil {
			t.Fatalf("got %q of what is no form: %v", out, err)
		}
		got := make(url.Values)
		for name, value := range object {
			switch value := value.(type) {
			case string:
				got[name] = []string{value}
			case []any:
				for _, each := range value {
					got[name] = append(got[name], each.(string))
				}
			}
		}
		if !maps.EqualFunc(got, fields, slices.Equal) {
			t.Errorf("got %v, want %v", got, fields)
		}
	})
}

// FuzzJSON: what is passed on as JSON is JSON, in UTF-8, and what was sent.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{"", "1", "{}", "[1,]", "\ufeff{}", "\"\xff\"", "{}{}", "\"\\ud800\"", " null "} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		out, err := jsonOf(body)
		if err != nil {
			isRefusal(t, err)
			return
		}
		var value any
		if err := json.Unmarshal(out, &value); err != nil || !utf8.Valid(out) {
			t.Errorf("got %q (%v), want JSON in UTF-8", out, err)
		}
		if !slices.Equal(out, body) && "\ufeff"+string(out) != string(body) {
			t.Errorf("got %q, want it as it was sent, %q", out, body)
		}
	})
}

// isRefusal complains if err is not that of a sender's mistake.
func isRefusal(t *testing.T, err error) {
	t.Helper()
	var refused *refusal
	if !errors.As(err, &refused) {
		t.Fatalf("got error %v, want a refusal", err)
	}
	switch refused.status {
	case http.StatusBadRequest, http.StatusUnsupportedMediaType, http.StatusRequestEntityTooLarge:
	default:
		t.Fatalf("got status %d, want one for a sender's mistake", refused.status)
	}
	if !utf8.ValidString(refused.message) || len(refused.message) > 1000 {
		t.Fatalf("got message %q, want a short text", refused.message)
	}
}
