package payload

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestFeeds(t *testing.T) {
	tests := []struct {
		name, contentType, body, want string
		edit                          func(*XML)
	}{
		{
			name:        "Atom",
			contentType: "application/atom+xml; charset=utf-8",
			body: `<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en">
  <title>Harbour notices</title>
  <link rel="self" href="https://harbour.example/feed"/>
  <link href="https://harbour.example/"/>
  <updated>2026-03-01T08:00:00Z</updated>
  <id>urn:uuid:60a76c80-d399-11d9-b93c-0003939e0af6</id>
  <entry>
    <title type="html">Quay 4 &lt;b&gt;closed&lt;/b&gt;</title>
    <id>urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6a</id>
    <author><name>Harbour office</name></author>
    <category term="quay"/><category term="closure"/>
    <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Until <em>noon</em>.</p></div></content>
  </entry>
  <entry>
    <title>Fog</title>
    <id>urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6b</id>
    <summary/>
  </entry>
</feed>`,
			want: `{"feed": {
				"@xml:lang": "en",
				"title": "Harbour notices",
				"link": [{"@rel": "self", "@href": "https://harbour.example/feed"}, {"@href": "https://harbour.example/"}],
				"updated": "2026-03-01T08:00:00Z",
				"id": "urn:uuid:60a76c80-d399-11d9-b93c-0003939e0af6",
				"entry": [{
					"title": {"@type": "html", "#text": "Quay 4 <b>closed</b>"},
					"id": "urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6a",
					"author": {"name": "Harbour office"},
					"category": [{"@term": "quay"}, {"@term": "closure"}],
					"content": {"@type": "xhtml", "div": {"p": {"#text": "Until .", "em": "noon"}}}
				}, {
					"title": "Fog",
					"id": "urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6b",
					"summary": null
				}]}}`,
		},
		{
			name:        "RSS 2.0",
			contentType: "application/rss+xml",
			body: `<?xml version="1.0" encoding="ISO-8859-1"?>
<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel>
  <title>Caf` + "\xe9" + ` news</title>
  <atom:link href="https://cafe.example/rss" rel="self"/>
  <link>https://cafe.example/</link>
  <item>
    <title>Open late</title>
    <link>https://cafe.example/?a=1&amp;b=2</link>
    <guid isPermaLink="false">17</guid>
    <dc:creator><![CDATA[The owner]]></dc:creator>
    <description><![CDATA[<p>Until 10 & later</p>]]></description>
  </item>
</channel>
</rss>`,
			edit: func(o *XML) { o.Lists = []string{"item"} },
			want: `{"rss": {"@version": "2.0", "channel": {
				"title": "Café news",
				"atom:link": {"@href": "https://cafe.example/rss", "@rel": "self"},
				"link": "https://cafe.example/",
				"item": [{
					"title": "Open late",
					"link": "https://cafe.example/?a=1&b=2",
					"guid": {"@isPermaLink": "false", "#text": "17"},
					"dc:creator": "The owner",
					"description": "<p>Until 10 & later</p>"
				}]}}}`,
		},
		{
			name:        "SOAP",
			contentType: `application/soap+xml; charset=utf-8; action="urn:stock"`,
			body: `<?xml version="1.0"?>
<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <soap:Header/>
  <soap:Body>
    <ns2:GetStockResponse xmlns:ns2="urn:stock">
      <ns2:Quantity>0012</ns2:Quantity>
      <ns2:Location xsi:nil="true"/>
    </ns2:GetStockResponse>
  </soap:Body>
</soap:Envelope>`,
			edit: func(o *XML) { o.Prefixes = false },
			want: `{"Envelope": {"Header": null, "Body": {"GetStockResponse": {
				"Quantity": "0012", "Location": {"@nil": "true"}}}}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := options(Auto, func(o *Options) {
				if tt.edit != nil {
					tt.edit(&o.XML)
				}
			})
			doc, err := o.Document(tt.contentType, []byte(tt.body))
			if err != nil || !doc.JSON {
				t.Fatalf("got JSON %v, %v, want JSON", doc.JSON, err)
			}
			var got, want any
			if err := json.Unmarshal([]byte(tt.want), &want); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(doc.Data, &got); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %s, %v, want %s", doc.Data, err, tt.want)
			}
		})
	}
}
