// Package payload makes documents of HTTP answers: it takes off content
// codings, finds out about charset and format, and brings what is not JSON
// but has structure (NDJSON, CSV, XML) into JSON.
//
// # Formats
//
// [Auto] goes by the media type of Content-Type:
//
//   - application/json, text/json, +json (RFC 6839): [JSON].
//   - application/x-ndjson, application/jsonl and their spellings,
//     application/json-seq, +json-seq: [NDJSON].
//   - text/csv: [CSVFormat].
//   - application/xml, text/xml, +xml (RFC 7303), so RSS, Atom, SOAP too:
//     [XMLFormat].
//   - Any other text type, or none, as many a legacy API has it: an object or
//     an array that parses is JSON; else text as it comes.
//   - All else: bytes as they come.
//
// A format that is configured holds whatever Content-Type says, since it is
// often wrong. Only when the body then can't be read does the error name a
// media type of another kind, as when a login page stands in for the data.
//
// # JSON
//
// A text that is not exactly one value (RFC 8259) is unreadable, and so is
// one nested more than 10,000 deep. It is passed on as it is written, apart
// from its charset.
//
// # NDJSON
//
// One JSON text on each line becomes one array of them, every number as it is
// written. Blank lines are skipped. If the first character is a record
// separator the body is a JSON text sequence (RFC 7464), whose texts may take
// several lines. What doesn't parse is an error with the number of its line
// or record: nothing is left out in silence.
//
// # CSV
//
// RFC 4180, with LF or, where there is none at all, lone CR as line ends too.
// Each row becomes an object named by the header row, or an array of texts if
// there is no header. Values are texts, never guessed to be numbers. White
// space around names is dropped; a name that is empty becomes "column_3"
// after its place, counted from 1, and a repeated one "name_2", "name_3" and
// so on. Blank lines are skipped; a row with more or fewer fields than the
// first is an error with its line. A row is at most 1 MiB.
//
// # XML
//
// An element becomes a member named after it, so that
//
//	<rss version="2.0"><channel><item/><item>a</item></channel></rss>
//
// is
//
//	{"rss":{"@version":"2.0","channel":{"item":[null,"a"]}}}
//
// The rules:
//
//   - An element with text alone becomes that text, one with nothing at all
//     null, and one with attributes or elements an object.
//   - Elements of one name in the same parent become an array, in their
//     order. [XML.Lists] names those that are an array even if there is one.
//   - Names keep their prefixes ("dc:creator", "soap:Body"), so that in a feed
//     atom:link is no link; [XML.Prefixes] can drop them. Declarations of
//     namespaces are no attributes (XML Information Set, section 2.2), and
//     left out: <string xmlns="…">a</string> is {"string":"a"}.
//   - White space at both ends of a text is dropped. In mixed content the
//     pieces of text between elements are joined by one space each; their
//     places among the elements are lost.
//   - Comments, processing instructions and the document type are dropped.
//     Only the five predefined entities and character references are
//     replaced; any other entity, declared or not, is an error. Nothing is
//     ever loaded from elsewhere.
//   - Elements are nested at most 1000 deep, and a tag with its attributes
//     is at most 1 MiB.
//
// # Charsets
//
// A byte order mark of UTF-8, UTF-16 or UTF-32 decides, and is taken off.
// Otherwise:
//
//   - JSON and NDJSON are UTF-8, whatever is declared (RFC 8259, section
//     8.1). If they can't be, the charset parameter of Content-Type counts,
//     since some legacy APIs mean it.
//   - Text and CSV: the charset parameter, or UTF-8.
//   - XML: the charset parameter (RFC 7303, section 3), the document's own
//     declaration, or UTF-8. A parameter that names UTF-8 and a declared
//     UTF-16 are passed over where they are evidently wrong.
//
// Names are those of the WHATWG Encoding Standard (in which iso-8859-1 means
// windows-1252) and, beyond them, of the IANA registry. An unknown one makes
// the body unreadable, and so do bytes that mean nothing in the charset;
// under [Auto] a text that is not UTF-8 and doesn't say what else it is
// passes as bytes. Half of a surrogate pair becomes U+FFFD.
//
// # Bounds
//
// A body is bounded by [Options.MaxBody], both as it is transferred, plus
// what coding data that can't be compressed adds, and decoded. Decoding stops
// at the bound. Up to three content codings may be stacked; zstd's window is
// at most 8 MiB (RFC 9659), brotli's at most 16 MiB (RFC 7932). JSON made of
// another format is at most 8 times MaxBody.
//
// # Errors
//
// Each is [ErrTooLarge] or [ErrUnreadable] with a detail that never quotes the
// body, or comes from the connection.
package payload
