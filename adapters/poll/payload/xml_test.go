package payload

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"
)

func TestXML(t *testing.T) {
	const malformed = unreadable + "it is not well-formed XML: line "
	tests := []struct {
		name, body, want string
		edit             func(*XML)
	}{
		{"text", "<a>x</a>", `{"a":"x"}`, nil},
		{"nothing", "<a/>", `{"a":null}`, nil},
		{"nothing, in two tags", "<a> \n </a>", `{"a":null}`, nil},
		{"attributes", `<a b="1" c=''/>`, `{"a":{"@b":"1","@c":""}}`, nil},
		{"attribute and text", `<a b=" 1 ">x</a>`, `{"a":{"#text":"x","@b":" 1 "}}`, nil},
		{"order of equal names", "<a><c>1</c><b>2</b><c>3</c><b/><c d='4'/></a>", `{"a":{"b":["2",null],"c":["1","3",{"@d":"4"}]}}`, nil},
		{"white space at the ends", "<a>\n  x  y\u00a0\n</a>", `{"a":"x  y` + "\u00a0" + `"}`, nil},
		{"mixed content", "<p>Hello <b>big</b>\n world<br/>!</p>", `{"p":{"#text":"Hello world !","b":"big","br":null}}`, nil},
		{"text in pieces", "<a> x<!-- c -->y<?p i?> <![CDATA[<z> & ]]></a>", `{"a":"xy <z> &"}`, nil},
		{"names of its own", "<a b='1'>x</a>", `{"a":{"$t":"x","-b":"1"}}`, func(o *XML) { o.Attributes, o.Text = "-", "$t" }},
		{"lists", "<a><b>1</b><c>2</c></a>", `{"a":{"b":["1"],"c":"2"}}`, func(o *XML) { o.Lists = []string{"b", "z"} }},
		{"a list of nothing", "<a><b/></a>", `{"a":[{"b":[null]}]}`, func(o *XML) { o.Lists = []string{"a", "b"} }},
		{"lists know prefixes", "<a><n:b/><b/></a>", `{"a":{"b":null,"n:b":[null]}}`, func(o *XML) { o.Lists = []string{"n:b"} }},
		{"prefixes", `<n:a xmlns:n="u:n" xml:lang="en"><n:b/><b/></n:a>`, `{"n:a":{"@xml:lang":"en","b":null,"n:b":null}}`, nil},
		{"no prefixes", `<n:a xmlns:n="u:n" xml:lang="en"><n:b/><b/></n:a>`, `{"a":{"@lang":"en","b":[null,null]}}`, func(o *XML) { o.Prefixes = false }},
		{"declared namespace alone", `<string xmlns="http://tempuri.org/">x</string>`, `{"string":"x"}`, nil},
		{"entities", `<a b="&quot;&#60;">&lt;&gt;&amp;&apos;&#x1F600;&#10;.</a>`, `{"a":{"#text":"<>&'😀\n.","@b":"\"<"}}`, nil},
		{"line ends", "<a>x\r\ny\rz</a>", `{"a":"x\ny\nz"}`, nil},
		{"document type", "<?xml version=\"1.0\"?>\n<!DOCTYPE a [<!ELEMENT a ANY> <!-- > --> ]>\n<!-- c --><a/>\n<!-- d -->", `{"a":null}`, nil},
		{"names beyond ASCII", "<é à='1'/>", `{"é":{"@à":"1"}}`, nil},
		{"empty", "", unreadable + "it can't be read as XML: line 1: it has no element", nil},
		{"declaration alone", "<?xml version='1.0'?>\n", unreadable + "line 2: it has no element", nil},
		{"two roots", "<a/>\n<b/>", unreadable + "line 2: something stands beside the root element", nil},
		{"text after the root", "<a/>\nhunter2", unreadable + "line 2: something stands beside the root element", nil},
		{"cut short", "<a>\n<b>hunter2", unreadable + "line 2: elements don't end as they start", nil},
		{"cut within a tag", "<a>\n<hunter2", malformed + "2", nil},
		{"overlap", "<a><b></a></b>", unreadable + "line 1: elements don't end as they start", nil},
		{"other prefix at the end", "<n:a></m:a>", unreadable + "line 1: elements don't end as they start", nil},
		{"end without start", "</a>", unreadable + "line 1: elements don't end as they start", nil},
		{"attribute without quotes", "<a b=hunter2/>", malformed + "1", nil},
		{"ampersand", "<a>\nhunter2 & x</a>", malformed + "2", nil},
		{"entity of HTML", "<a>&nbsp;</a>", malformed + "1", nil},
		{"NUL", "<a>\x00</a>", malformed + "1", nil},
		{"control character", "<a>&#1;</a>", malformed + "1", nil},
		{"a second declaration", "<a><?xml version='1.0' encoding='koi8-r'?></a>", malformed + "1", nil},
		{"external entity", `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`, malformed + "1", nil},
		{"1000 levels", strings.Repeat("<a>", 1000) + strings.Repeat("</a>", 1000), strings.Repeat(`{"a":`, 1000) + "null" + strings.Repeat("}", 1000), nil},
		{"1001 levels", strings.Repeat("<a>", 1001) + strings.Repeat("</a>", 1001), unreadable + "line 1: elements are more than 1000 deep", nil},
		{"levels without end", strings.Repeat("<a>", 1<<20), unreadable + "line 1: elements are more than 1000 deep", nil},
		{"endless tag", "<a " + strings.Repeat("b='' ", 1<<20), unreadable + "line 1: a tag has more than 1048576 bytes", nil},
		{"endless name", "<a></" + strings.Repeat("a", 2<<20), unreadable + "line 1: a tag has more than 1048576 bytes", nil},
		{"long comment", "<a><!--" + strings.Repeat("x", 2<<20) + "--></a>", `{"a":null}`, nil},
		{"long text", "<a>" + strings.Repeat("x", 2<<20) + "</a>", `{"a":"` + strings.Repeat("x", 2<<20) + `"}`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := options(XMLFormat, func(o *Options) {
				if tt.edit != nil {
					tt.edit(&o.XML)
				}
			})
			doc, err := o.Document("text/xml", []byte(tt.body))
			wantDocument(t, doc, err, tt.want, true)
			if err == nil && !json.Valid(doc.Data) {
				t.Errorf("got %.80q, want JSON", doc.Data)
			}
		})
	}
}

func TestBillionLaughs(t *testing.T) {
	var b strings.Builder
	b.WriteString(`<!DOCTYPE a [<!ENTITY l0 "ha">`)
	for i := '1'; i <= '9'; i++ {
		b.WriteString(`<!ENTITY l` + string(i) + ` "` + strings.Repeat("&l"+string(i-1)+";", 10) + `">`)
	}
	b.WriteString("]>\n<a>&l9;</a>")
	doc, err := options(XMLFormat, nil).Document("text/xml", []byte(b.String()))
	wantDocument(t, doc, err, unreadable+"it is not well-formed XML: line 2", true)
}

// TestXMLMemory: what bodies of small parts take is held to a multiple of
// their size.
func TestXMLMemory(t *testing.T) {
	const size = 512 << 10
	for name, part := range map[string]string{
		"elements":   "<a/>",
		"names":      "<a/><b/><c/><d/>",
		"attributes": "<a " + strings.Repeat("b='' ", 10_000) + "/>",
		"text":       "<a/>x",
		"comments":   "x<!---->",
	} {
		body := []byte("<r>" + strings.Repeat(part, size/len(part)) + "</r>")
		o := options(XMLFormat, nil)
		tree := tree{options: &o.XML}
		held := heldBy(func() {
			if _, err := tree.parse(body); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
		runtime.KeepAlive(tree)
		t.Logf("%s: %d KiB held for %d KiB", name, held>>10, size>>10)
		if held > 8*size {
			t.Errorf("%s: got %d bytes held, want at most 8 times %d", name, held, size)
		}
		if doc, err := o.Document("", body); err != nil || !json.Valid(doc.Data) {
			t.Errorf("%s: got error %v, want JSON", name, err)
		}
	}
}

// heldBy returns how much more memory is in use after f.
func heldBy(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return after.HeapAlloc - min(before.HeapAlloc, after.HeapAlloc)
}
