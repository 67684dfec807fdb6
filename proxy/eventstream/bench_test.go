package eventstream_test

import (
	"strings"
	"testing"

	"sidestream/proxy/eventstream"
)

func benchmarkEvents() map[string]eventstream.Event {
	line := `{"id":12345,"user":"somebody","total":99.95,"items":["one","two"],"note":"` + strings.Repeat("x", 24) + `"}`
	tenLines := strings.Repeat(strings.Repeat("y", 101)+"\n", 10)
	return map[string]eventstream.Event{
		"100B":             {ID: "AbCdEf0123-42", Type: "order", Data: []byte(line)},
		"1KiB in 10 lines": {ID: "AbCdEf0123-42", Type: "order", Data: []byte(strings.TrimSuffix(tenLines, "\n"))},
	}
}

func BenchmarkAppendEvent(b *testing.B) {
	for name, e := range benchmarkEvents() {
		b.Run(name, func(b *testing.B) {
			dst := make([]byte, 0, 4<<10)
			b.ReportAllocs()
			b.SetBytes(int64(len(e.Data)))
			for b.Loop() {
				var err error
				if dst, err = eventstream.AppendEvent(dst[:0], &e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, e := range benchmarkEvents() {
		b.Run(name, func(b *testing.B) {
			block, err := eventstream.AppendEvent(nil, &e)
			if err != nil {
				b.Fatal(err)
			}
			d := eventstream.NewDecoder(&endless{block: block}, nil)
			b.ReportAllocs()
			b.SetBytes(int64(len(block)))
			for b.Loop() {
				if _, err := d.Next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
