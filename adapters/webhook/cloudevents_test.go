package webhook

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sidestream/adapters"
	"sidestream/adapters/webhook/verify"
)

// The examples of the JSON event format, section 3.2. What stands in for "...
// base64 encoded string ..." is of this test.
const (
	exampleBinary = `{
    "specversion" : "1.0",
    "type" : "com.example.someevent",
    "source" : "/mycontext",
    "id" : "A234-1234-1234",
    "time" : "2018-04-05T17:31:00Z",
    "comexampleextension1" : "value",
    "comexampleothervalue" : 5,
    "datacontenttype" : "application/vnd.apache.thrift.binary",
    "data_base64" : "gAEAAQ=="
}`
	exampleXML = `{
    "specversion" : "1.0",
    "type" : "com.example.someevent",
    "source" : "/mycontext",
    "id" : "B234-1234-1234",
    "time" : "2018-04-05T17:31:00Z",
    "comexampleextension1" : "value",
    "comexampleothervalue" : 5,
    "unsetextension": null,
    "datacontenttype" : "application/xml",
    "data" : "<much wow=\"xml\"/>"
}`
	exampleObject = `{
    "specversion" : "1.0",
    "type" : "com.example.someevent",
    "source" : "/mycontext",
    "subject": null,
    "id" : "C234-1234-1234",
    "time" : "2018-04-05T17:31:00Z",
    "comexampleextension1" : "value",
    "comexampleothervalue" : 5,
    "datacontenttype" : "application/json",
    "data" : {
        "appinfoA" : "abc",
        "appinfoB" : 123,
        "appinfoC" : true
    }
}`
	exampleNumber = `{
    "specversion" : "1.0",
    "type" : "com.example.someevent",
    "source" : "/mycontext",
    "subject": null,
    "id" : "C234-1234-1234",
    "time" : "2018-04-05T17:31:00Z",
    "comexampleextension1" : "value",
    "comexampleothervalue" : 5,
    "datacontenttype" : "application/json",
    "data" : 1.5
}`
	exampleString = `{
    "specversion" : "1.0",
    "type" : "com.example.someevent",
    "source" : "/mycontext",
    "subject": null,
    "id" : "D234-1234-1234",
    "time" : "2018-04-05T17:31:00Z",
    "comexampleextension1" : "value",
    "comexampleothervalue" : 5,
    "data" : "I'm just a string"
}`
	exampleBase64 = `{
    "specversion" : "1.0",
    "type" : "com.example.someevent",
    "source" : "/mycontext",
    "id" : "D234-1234-1234",
    "data_base64" : "eyAieHl6IjogMTIzIH0="
}`
)

func TestStructured(t *testing.T) {
	for name, test := range map[string]struct {
		body, id, contentType, data string
		extended                    bool // has a time and the two extensions
	}{
		"binary":  {exampleBinary, "A234-1234-1234", "application/vnd.apache.thrift.binary", "\x80\x01\x00\x01", true},
		"XML":     {exampleXML, "B234-1234-1234", "application/xml", `<much wow="xml"/>`, true},
		"object":  {exampleObject, "C234-1234-1234", "application/json", "{\n        \"appinfoA\" : \"abc\",\n        \"appinfoB\" : 123,\n        \"appinfoC\" : true\n    }", true},
		"number":  {exampleNumber, "C234-1234-1234", "application/json", "1.5", true},
		"string":  {exampleString, "D234-1234-1234", "", `"I'm just a string"`, true},
		"base64":  {exampleBase64, "D234-1234-1234", "", `{ "xyz": 123 }`, false},
		"nothing": {with(exampleBase64, `"data_base64" : "eyAieHl6IjogMTIzIH0="`, `"data_base64": null`), "D234-1234-1234", "", "", false},
		"null":    {with(exampleBase64, `"data_base64" : "eyAieHl6IjogMTIzIH0="`, `"data": null`), "D234-1234-1234", "", "null", false},
	} {
		r := post(test.body, "Content-Type", "application/cloudevents+json; charset=UTF-8", "X-Request-Id", "7")
		e := one(t, open(t, nil), r)
		want := adapters.Event{
			ID: "/mycontext " + test.id, Type: "com.example.someevent", Data: []byte(test.data),
			Headers: r.Header,
			Meta:    map[string]any{"specversion": "1.0", "type": "com.example.someevent", "source": "/mycontext", "id": test.id},
		}
		if test.data == "" {
			want.Data = nil
		}
		if test.contentType != "" {
			want.Meta["datacontenttype"] = test.contentType
		}
		if test.extended {
			want.Time = time.Date(2018, 4, 5, 17, 31, 0, 0, time.UTC)
			want.Meta["time"] = "2018-04-05T17:31:00Z"
			want.Meta["comexampleextension1"], want.Meta["comexampleothervalue"] = "value", json.Number("5")
		}
		same(t, name, e, want)
	}
}

// same complains if got is not want.
func same(t *testing.T, name string, got, want adapters.Event) {
	t.Helper()
	meta, headers := map[string]any(nil), map[string][]string(nil)
	for key, value := range got.Meta {
		if meta == nil {
			meta = make(map[string]any)
		}
		meta[key] = value
	}
	for key, value := range want.Headers {
		if headers == nil {
			headers = make(map[string][]string)
		}
		headers[key] = value
	}
	if !reflect.DeepEqual(meta, want.Meta) || !reflect.DeepEqual(got.Headers, headers) {
		t.Errorf("%s: got meta %v and headers %v, want %v and %v", name, got.Meta, got.Headers, want.Meta, want.Headers)
	}
	if got.ID != want.ID || got.Type != want.Type || !got.Time.Equal(want.Time) || string(got.Data) != string(want.Data) {
		t.Errorf("%s: got id %q, type %q, time %v, data %q, want %q, %q, %v, %q", name,
			got.ID, got.Type, got.Time, got.Data, want.ID, want.Type, want.Time, want.Data)
	}
}

// with returns text with a part of it replaced, which has to be there.
func with(text, old, replacement string) string {
	if !strings.Contains(text, old) {
		panic("the example has no " + old)
	}
	return strings.Replace(text, old, replacement, 1)
}

// The example of the JSON batch format, section 4.3.
const exampleBatch = `[
  {
      "specversion" : "1.0",
      "type" : "com.example.someevent",
      "source" : "/mycontext/4",
      "id" : "B234-1234-1234",
      "time" : "2018-04-05T17:31:00Z",
      "comexampleextension1" : "value",
      "comexampleothervalue" : 5,
      "datacontenttype" : "application/vnd.apache.thrift.binary",
      "data_base64" : "gAEAAQ=="
  },
  {
      "specversion" : "1.0",
      "type" : "com.example.someotherevent",
      "source" : "/mycontext/9",
      "id" : "C234-1234-1234",
      "time" : "2018-04-05T17:31:05Z",
      "comexampleextension1" : "value",
      "comexampleothervalue" : 5,
      "datacontenttype" : "application/json",
      "data" : {
          "appinfoA" : "abc",
          "appinfoB" : 123,
          "appinfoC" : true
      }
  }
]`

func TestBatch(t *testing.T) {
	f := open(t, nil)
	var s sink
	answer := serve(f, post(exampleBatch, "Content-Type", mediaBatch), s.receive)
	got := s.got()
	if answer.StatusCode != http.StatusNoContent || len(got) != 2 || len(s.vars) != 1 {
		t.Fatalf("got status %d (%s) and %d events in %d calls, want 204 and two at once", answer.StatusCode, text(answer), len(got), len(s.vars))
	}
	for i, want := range []adapters.Event{
		{ID: "/mycontext/4 B234-1234-1234", Type: "com.example.someevent", Data: []byte("\x80\x01\x00\x01"), Time: time.Date(2018, 4, 5, 17, 31, 0, 0, time.UTC)},
		{ID: "/mycontext/9 C234-1234-1234", Type: "com.example.someotherevent", Data: got[1].Data, Time: time.Date(2018, 4, 5, 17, 31, 5, 0, time.UTC)},
	} {
		want.Meta = got[i].Meta
		same(t, strconv.Itoa(i), got[i], want)
		if got[i].Meta["comexampleextension1"] != "value" {
			t.Errorf("%d: got meta %v, want its own extensions", i, got[i].Meta)
		}
	}
	var data map[string]any
	if err := json.Unmarshal(got[1].Data, &data); err != nil || data["appinfoA"] != "abc" {
		t.Errorf("got data %s (%v), want the second event's", got[1].Data, err)
	}

	if answer := serve(f, post("[]", "Content-Type", mediaBatch), s.receive); answer.StatusCode != http.StatusNoContent || len(s.vars) != 1 {
		t.Errorf("a batch of none: got status %d and %d calls, want 204 and no more than before", answer.StatusCode, len(s.vars))
	}
	// One that was delivered before is left out of a batch, and so is the
	// second of two.
	more := with(with(exampleBatch, "B234", "E234"), "]", "") + "," + exampleBase64 + "," + exampleBase64 + "]"
	answer = serve(f, post(more, "Content-Type", mediaBatch), s.receive)
	var ids []string
	for _, e := range s.got()[2:] {
		ids = append(ids, e.ID)
	}
	if want := []string{"/mycontext/4 E234-1234-1234", "/mycontext D234-1234-1234"}; answer.StatusCode != http.StatusNoContent || !reflect.DeepEqual(ids, want) {
		t.Errorf("got status %d and ids %v, want those that are new, %v", answer.StatusCode, ids, want)
	}
	small := open(t, func(o *Options) { o.CloudEvents.MaxBatch = 1 })
	if answer := serve(small, post(exampleBatch, "Content-Type", mediaBatch), s.receive); answer.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("too many in a batch: got status %d, want 413", answer.StatusCode)
	}
}

// The example of the HTTP binding, section 3.1.4, with more attributes.
func TestBinary(t *testing.T) {
	const body = `{"some": "data"}`
	r := post(body, "Content-Type", "application/json; charset=utf-8",
		"ce-specversion", "1.0", "ce-type", "com.example.someevent", "ce-time", "2018-04-05T03:56:24.5+02:00",
		"ce-id", "1234-1234-1234", "ce-source", "/mycontext/subcontext",
		"ce-subject", "Euro%20%E2%82%AC%20%F0%9F%98%80", "ce-comexampleothervalue", "5")
	want := adapters.Event{
		ID: "/mycontext/subcontext 1234-1234-1234", Type: "com.example.someevent", Data: []byte(body),
		Time: time.Date(2018, 4, 5, 1, 56, 24, 5e8, time.UTC), Headers: r.Header,
		Meta: map[string]any{
			"specversion": "1.0", "type": "com.example.someevent", "source": "/mycontext/subcontext", "id": "1234-1234-1234",
			"time": "2018-04-05T03:56:24.5+02:00", "subject": "Euro € 😀", "comexampleothervalue": "5",
			"datacontenttype": "application/json; charset=utf-8",
		},
	}
	same(t, "example", one(t, open(t, nil), r), want)
}

func TestHeaderText(t *testing.T) {
	const refused = "refused"
	for value, want := range map[string]string{
		"Euro%20%E2%82%AC%20%F0%9F%98%80": "Euro € 😀",
		"%e2%82%ac":                       "€",
		"plain%41":                        "plainA",
		"a+b":                             "a+b",
		"%2541":                           "%41", // once
		`"quoted text"`:                   "quoted text",
		`a "b c" d`:                       "a b c d",
		`"say \"%22\" \\ "`:               `say """ \ `,
		`\"`:                              refused,
		`"open`:                           refused,
		"%C0%A0":                          refused, // overlong
		"%FF":                             refused,
		"50%":                             refused,
		"%zz":                             refused,
		"\xff":                            refused,
		"":                                "",
	} {
		got, err := headerText(value)
		if err != nil {
			got = refused
		}
		if got != want {
			t.Errorf("%q: got %q (%v), want %q", value, got, err, want)
		}
	}
}

func TestCloudEventsRefused(t *testing.T) {
	event := func(old, replacement string) *http.Request {
		return post(with(exampleXML, old, replacement), "Content-Type", mediaEvent)
	}
	inHeaders := func(headers ...string) *http.Request {
		r := post("{}", "Content-Type", "application/json", "ce-specversion", "1.0", "ce-type", "t", "ce-id", "i", "ce-source", "/s")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Del(headers[i])
			for value := range strings.SplitSeq(headers[i+1], "|") {
				r.Header.Add(headers[i], value)
			}
		}
		return r
	}
	var many strings.Builder
	for i := range maxAttributes {
		fmt.Fprintf(&many, `"x%d":1,`, i)
	}
	for name, test := range map[string]struct {
		request *http.Request
		mode    Mode
		status  int
		says    string
	}{
		"fine":                  {event(`"/mycontext"`, `"https://example.com/a?b#c"`), modeAuto, 204, ""},
		"version":               {event(`"specversion" : "1.0"`, `"specversion": "0.3"`), modeAuto, 400, "specversion is not 1.0"},
		"version is a number":   {event(`"specversion" : "1.0"`, `"specversion": 1.0`), modeAuto, 400, "specversion is not 1.0"},
		"no version":            {event(`"specversion" : "1.0",`, ``), modeAuto, 400, "specversion is missing"},
		"no id":                 {event(`"id" : "B234-1234-1234",`, ``), modeAuto, 400, "id is missing"},
		"id is null":            {event(`"B234-1234-1234"`, `null`), modeAuto, 400, "id is missing"},
		"empty source":          {event(`"/mycontext"`, `""`), modeAuto, 400, "source is missing, empty"},
		"source is none":        {event(`"/mycontext"`, `"not a reference"`), modeAuto, 400, "no URI-reference"},
		"no type":               {event(`"com.example.someevent"`, `null`), modeAuto, 400, "type is missing"},
		"reserved type":         {event(`"com.example.someevent"`, `"stream.end"`), modeAuto, 400, "reserved"},
		"type of two lines":     {event(`"com.example.someevent"`, `"a\ndata: b"`), modeAuto, 400, "not one line"},
		"time":                  {event(`"2018-04-05T17:31:00Z"`, `"yesterday"`), modeAuto, 400, "RFC 3339"},
		"time in lower case":    {event(`"2018-04-05T17:31:00Z"`, `"2018-04-05t17:31:00z"`), modeAuto, 204, ""},
		"empty subject":         {event(`"unsetextension": null`, `"subject": ""`), modeAuto, 400, "subject is empty"},
		"dataschema":            {event(`"unsetextension": null`, `"dataschema": "a b"`), modeAuto, 400, "dataschema"},
		"content type of data":  {event(`"application/xml"`, `"/"`), modeAuto, 400, "datacontenttype"},
		"name of an attribute":  {event(`"unsetextension": null`, `"traceParent": "x"`), modeAuto, 400, "traceParent"},
		"value of an attribute": {event(`"unsetextension": null`, `"x": {}`), modeAuto, 400, "not a text, a number or a boolean"},
		"many attributes":       {event(`"unsetextension": null`, many.String()+`"y": 1`), modeAuto, 400, "more than 256"},
		"twice":                 {event(`"unsetextension": null`, `"id": "other"`), modeAuto, 400, "there twice"},
		"unset twice":           {event(`"unsetextension": null`, `"a":null,"a":null`), modeAuto, 400, "there twice"},
		"both kinds of data":    {event(`"unsetextension": null`, `"data_base64": ""`), modeAuto, 400, "both"},
		"base64":                {post(with(exampleBase64, "eyAi", "####"), "Content-Type", mediaEvent), modeAuto, 400, "base64"},
		"base64 is an array":    {post(with(exampleBase64, `"eyAieHl6IjogMTIzIH0="`, "[1]"), "Content-Type", mediaEvent), modeAuto, 400, "base64"},
		"not JSON":              {post("{", "Content-Type", mediaEvent), modeAuto, 400, "not JSON"},
		"two":                   {post(exampleXML+exampleXML, "Content-Type", mediaEvent), modeAuto, 400, "not JSON"},
		"not an object":         {post("[]", "Content-Type", mediaEvent), modeAuto, 400, "no JSON object"},
		"not an array":          {post("{}", "Content-Type", mediaBatch), modeAuto, 400, "no JSON array"},
		"second of a batch":     {post(with(exampleBatch, `"id" : "C234-1234-1234",`, ""), "Content-Type", mediaBatch), modeAuto, 400, "[1]: the attribute id"},
		"another format":        {post("", "Content-Type", "application/cloudevents+avro"), modeAuto, 415, "JSON"},

		"headers":             {inHeaders(), modeRequire, 204, ""},
		"header missing":      {inHeaders("ce-specversion", ""), modeAuto, 400, "specversion is not 1.0"},
		"header twice":        {inHeaders("ce-id", "a|b"), modeAuto, 400, "ce-id is there 2 times"},
		"header not UTF-8":    {inHeaders("ce-subject", "%C0%A0"), modeAuto, 400, "ce-subject is not percent-encoded"},
		"header not text":     {inHeaders("ce-subject", "%0A"), modeAuto, 400, "subject is not one line"},
		"header data":         {inHeaders("ce-data", "x"), modeAuto, 400, `"data" is no name`},
		"header content type": {inHeaders("ce-datacontenttype", "text/plain"), modeAuto, 400, "Content-Type"},

		"required, and none": {post("{}", "Content-Type", "application/json"), modeRequire, 415, "only CloudEvents"},
		"required":           {post(exampleXML, "Content-Type", mediaEvent), modeRequire, 204, ""},
		"off":                {post("{}", "Content-Type", mediaEvent), modeOff, 204, ""},
		"off, headers":       {inHeaders("ce-specversion", "0.1"), modeOff, 204, ""},
	} {
		var s sink
		answer := serve(open(t, func(o *Options) { o.CloudEvents.Mode = test.mode }), test.request, s.receive)
		if got := text(answer); answer.StatusCode != test.status || !strings.Contains(got, test.says) {
			t.Errorf("%s: got status %d and %q, want %d and that it says %q", name, answer.StatusCode, got, test.status, test.says)
		}
		if (len(s.got()) == 1) != (test.status == http.StatusNoContent) {
			t.Errorf("%s: got %d events, want one with 204 only", name, len(s.got()))
		}
	}
}

// An id is bounded, and tells source and id apart.
func TestIdentifier(t *testing.T) {
	long := strings.Repeat("x", 300)
	ids := make(map[string]bool)
	for _, pair := range [][2]string{{"/a", "b"}, {"/a", "b c"}, {"/a b", "c"}, {"/a", long}, {long, "/a"}, {"/b", long}} {
		id := identifier(pair[0], pair[1])
		if len(id) > adapters.MaxID {
			t.Errorf("%.20q: got %d bytes, want at most %d", pair, len(id), adapters.MaxID)
		}
		ids[id] = true
	}
	if got, want := len(ids), 5; got != want { // "/a b" is no source
		t.Errorf("got %d identifiers, want %d", got, want)
	}
}

// FuzzCloudEvents: whatever is sent is refused as a sender's mistake or becomes
// events that are complete.
func FuzzCloudEvents(f *testing.F) {
	for _, seed := range []string{exampleBinary, exampleXML, exampleObject, exampleNumber, exampleString, exampleBase64, exampleBatch, "[]", "{", ""} {
		f.Add([]byte(seed), "1.0", "/s", "a%20b")
	}
	fac := open(f, func(o *Options) { o.CloudEvents.MaxBatch = 10 })
	f.Fuzz(func(t *testing.T, body []byte, version, source, subject string) {
		requests := map[string]http.Header{
			mediaEvent:         {},
			mediaBatch:         {},
			"application/json": {"Ce-Specversion": {version}, "Ce-Source": {source}, "Ce-Id": {"1"}, "Ce-Type": {"t"}, "Ce-Subject": {subject}},
		}
		for media, header := range requests {
			r := httptest.NewRequest(http.MethodPost, "/in", http.NoBody)
			r.Header = header
			events, err := fac.events(r, content{media: media}, body, verify.Facts{})
			if err != nil {
				isRefusal(t, err)
				continue
			}
			if media != mediaBatch && len(events) != 1 || len(events) > 10 {
				t.Errorf("%s: got %d events, want one, or at most 10 of a batch", media, len(events))
			}
			for _, e := range events {
				if e.ID == "" || len(e.ID) > adapters.MaxID || e.Type == "" || adapters.CheckType(e.Type) != nil ||
					e.Meta["specversion"] != "1.0" || !utf8.ValidString(fmt.Sprint(e.Meta)) {
					t.Errorf("%s: got %+v, want a whole event", media, e)
				}
			}
		}
	})
}
