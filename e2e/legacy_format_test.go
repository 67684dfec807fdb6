package e2e

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// plainRows is a document, and what brotli and zstd make of it.
var (
	plainRows = `{"rows":["` + strings.Repeat("the same again, ", 40) + `"]}`
	brRows    = fromBase64("G4wC+I3UVnkjhAe1CEvX3gbR2eoDG3DgEFiYTEr3AFoooxFvzGY6eBVBNg==")
	zstdRows  = fromBase64("KLUv/UQAjQE1AQDUAXsicm93cyI6WyJ0aGUgc2FtZSBhZ2FpbiwgIl19AVQUBC22mTSP7mI=")
)

func fromBase64(text string) string {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// What APIs send, and what their clients receive of it: W1 (UTF-8, no BOM),
// W2 (lines), W4 (bytes as Base64).
func TestLegacyFormats(t *testing.T) {
	var gzipped, deflated bytes.Buffer
	z := gzip.NewWriter(&gzipped)
	_, _ = z.Write([]byte(plainRows))
	_ = z.Close()
	d := zlib.NewWriter(&deflated)
	_, _ = d.Write([]byte(plainRows))
	_ = d.Close()

	answers := []struct {
		name, typ, coding, body string
		options                 string // of the route
		want                    string
	}{
		{"ndjson", "application/x-ndjson", "", "{\"b\": 1e400, \"a\": 1}\n\n[2]\r\n", "", `[{"a":1,"b":1e400},[2]]`},
		{"json lines", "application/octet-stream", "", "1\n2\n", "poll: {format: ndjson}", `[1,2]`},
		{"csv", "text/csv", "", "\xef\xbb\xbfid,name\r\n1,\"a, \"\"b\"\"\"\r\n2,\"two\nlines\"\r\n", "", `[{"id":"1","name":"a, \"b\""},{"id":"2","name":"two\nlines"}]`},
		{"csv without a header", "text/csv", "", "1;a\n# not this\n2;b\n", `poll: {csv: {header: false, delimiter: ";", comment: "#"}}`, `[["1","a"],["2","b"]]`},
		{"csv in windows-1252", "text/csv; charset=windows-1252", "", "price\n\x805\n", "", `[{"price":"€5"}]`},
		{"xml", "application/xml", "", `<?xml version="1.0"?><list n="2"><item id="1">a</item><item id="2"><![CDATA[<b>]]></item></list>`, "",
			`{"list":{"@n":"2","item":[{"#text":"a","@id":"1"},{"#text":"<b>","@id":"2"}]}}`},
		{"xml in latin-1", "text/xml", "", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xfcber</a>", "", `{"a":"über"}`},
		{"json in latin-1", "application/json; charset=iso-8859-1", "", "{\"name\": \"Andr\xe9\"}", "", `{"name":"André"}`},
		{"json with a mark", "application/json", "", "\xef\xbb\xbf{\"v\": 1}", "", `{"v":1}`},
		{"json in UTF-16", "application/json; charset=utf-16", "", "\xff\xfe{\x00}\x00", "", `{}`},
		{"text in latin-1", "text/plain; charset=iso-8859-1", "", "caf\xe9\r\nau lait", "", "café\nau lait"},
		{"text", "text/plain", "", "\xef\xbb\xbfone\ntwo\rthree\n", "", "one\ntwo\nthree\n"},
		{"json as text", "text/plain", "", ` {"v": 1} `, "", `{"v":1}`},
		{"bytes", "image/png", "", "\x89PNG\x00\xff", "encoding: base64", base64.StdEncoding.EncodeToString([]byte("\x89PNG\x00\xff"))},
		{"gzip", "application/json", "gzip", gzipped.String(), "", plainRows},
		{"deflate", "application/json", "deflate", deflated.String(), "", plainRows},
		{"br", "application/json", "br", brRows, "", plainRows},
		{"zstd", "application/json", "zstd", zstdRows, "", plainRows},
		{"raw", "application/json", "br", brRows, "poll: {emit: raw}", plainRows},
	}
	api := startLegacy(t, func(w http.ResponseWriter, r *http.Request) {
		var at int
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &at)
		a := answers[at]
		w.Header().Set("Content-Type", a.typ)
		if a.coding != "" {
			w.Header().Set("Content-Encoding", a.coding)
			if !strings.Contains(r.Header.Get("Accept-Encoding"), a.coding) {
				w.WriteHeader(http.StatusNotAcceptable)
			}
		}
		_, _ = w.Write([]byte(a.body))
	})
	var table strings.Builder
	_, _ = fmt.Fprintf(&table, "%s\nroutes:\n", strings.Replace(quick, "{retry", fmt.Sprintf("{upstream: %s, retry", api.url), 1))
	for i, a := range answers {
		if !strings.Contains(a.options, "poll:") {
			a.options += "\n    poll: {}"
		}
		_, _ = fmt.Fprintf(&table, "  - path: /%d\n    %s\n", i, strings.TrimSpace(a.options))
	}
	s := serve(t, table.String())
	for i, a := range answers {
		t.Run(a.name, func(t *testing.T) {
			c := follow(t, fmt.Sprintf("%s/%d", s.url, i))
			if got := c.await(t, 1)[0]; got.Type != "message" || got.Data != a.want {
				t.Errorf("got %s %q, want %q", got.Type, got.Data, a.want)
			}
		})
	}
}
