package record

import (
	"slices"
	"strings"
	"testing"
)

// marker is a control record of a type: 0 for abort, 1 for commit.
func marker(kind byte) testRecord {
	return testRecord{key: []byte{0, 0, 0, kind}, value: []byte{0, 0, 0, 0, 0, 1}}
}

// txnLog writes a log of transactions, one batch for each offset.
type txnLog struct {
	tb   testing.TB
	set  []byte
	next int64
}

// add appends a batch with one record, and a letter that says of what kind:
// t of a transaction, p of a producer without one, a and c markers of abort
// and commit, e a marker that compaction has emptied, u one of a type yet
// unknown.
func (l *txnLog) add(producer int64, kinds string) *txnLog {
	for _, kind := range kinds {
		b := testBatch{first: l.next, producer: producer, attributes: transactional, records: values(string(rune('a' + l.next)))}
		switch kind {
		case 't':
		case 'p':
			b.attributes = 0
		case 'a':
			b.attributes, b.records = control|transactional, []testRecord{marker(abortMarker)}
		case 'c':
			b.attributes, b.records = control|transactional, []testRecord{marker(1)}
		case 'u':
			b.attributes, b.records = control|transactional, []testRecord{marker(9)}
		case 'e':
			b.attributes, b.records = control|transactional, nil
		}
		l.set = append(l.set, b.encode(l.tb)...)
		l.next++
	}
	return l
}

func TestAbortedTransactions(t *testing.T) {
	tests := []struct {
		name    string
		log     func(l *txnLog)
		from    int64
		aborted []Aborted
		want    string // values
	}{
		{
			name: "none",
			log:  func(l *txnLog) { l.add(1, "ttc").add(2, "p") },
			want: "abd",
		},
		{
			name: "one, among records of others",
			log: func(l *txnLog) {
				l.add(1, "t").add(2, "t").add(1, "t").add(3, "p").add(1, "a").add(2, "c").add(1, "tc")
			},
			aborted: []Aborted{{1, 0}},
			want:    "bdg",
		},
		{
			name:    "several of one producer, in any order",
			log:     func(l *txnLog) { l.add(1, "ta").add(1, "tc").add(1, "tta").add(1, "tc") },
			aborted: []Aborted{{1, 4}, {1, 0}},
			want:    "ch",
		},
		{
			name:    "one that began before",
			log:     func(l *txnLog) { l.next = 10; l.add(1, "tatc") },
			from:    10,
			aborted: []Aborted{{1, 3}},
			want:    "m",
		},
		{
			name:    "one whose records are all before",
			log:     func(l *txnLog) { l.next = 10; l.add(1, "atc") },
			from:    10,
			aborted: []Aborted{{1, 3}},
			want:    "l",
		},
		{
			name:    "one that ends before the offset that was asked for, in the set all the same",
			log:     func(l *txnLog) { l.add(1, "tattc") },
			from:    3,
			aborted: []Aborted{{1, 0}},
			want:    "d",
		},
		{
			name:    "one that begins behind a committed one",
			log:     func(l *txnLog) { l.add(1, "tctta") },
			aborted: []Aborted{{1, 2}},
			want:    "a",
		},
		{
			name:    "one that doesn't end in the set",
			log:     func(l *txnLog) { l.add(1, "tt").add(2, "t") },
			aborted: []Aborted{{1, 0}},
			want:    "c",
		},
		{
			name:    "records of the producer outside of transactions",
			log:     func(l *txnLog) { l.add(1, "tpta") },
			aborted: []Aborted{{1, 0}},
			want:    "b",
		},
		{
			name:    "markers that are emptied or of an unknown type end nothing",
			log:     func(l *txnLog) { l.add(1, "teutat") },
			aborted: []Aborted{{1, 0}},
			want:    "f",
		},
		{
			name: "two at once",
			log: func(l *txnLog) {
				l.add(1, "t").add(2, "t").add(1, "a").add(2, "t").add(1, "tc").add(2, "a").add(2, "tc")
			},
			aborted: []Aborted{{2, 1}, {1, 0}},
			want:    "eh",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := &txnLog{tb: t}
			tt.log(l)
			given := slices.Clone(tt.aborted)
			var values []byte
			for _, r := range mustRead(t, l.set, tt.from, Options{Committed: true, Aborted: given}) {
				values = append(values, r.Value...)
			}
			if got := string(values); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if !slices.Equal(given, tt.aborted) {
				t.Errorf("got the list changed to %v, want %v", given, tt.aborted)
			}
			all := mustRead(t, l.set, tt.from, Options{Aborted: given})
			if got, want := len(all), strings.Count(kindsOf(l.set, tt.from), "r"); got != want {
				t.Errorf("uncommitted: got %d records, want %d", got, want)
			}
		})
	}
}

// kindsOf returns an r for each batch of records in set at or behind from, and
// a c for each control batch.
func kindsOf(set []byte, from int64) string {
	kinds := ""
	for {
		f, err := nextFrame(set, 0)
		if err != nil {
			return kinds
		}
		set = set[len(f.bytes):]
		switch {
		case f.last < from:
		case f.bytes[attributesAt+1]&control != 0:
			kinds += "c"
		default:
			kinds += "r"
		}
	}
}

// TestAbortedBatchesAreNotDecompressed: one that can't be is left out all the
// same.
func TestAbortedBatchesAreNotDecompressed(t *testing.T) {
	b := testBatch{producer: 1, attributes: transactional, codec: int16(gzipCodec), count: 1}
	set := join(b.seal(0, []byte("not gzip")), testBatch{first: 1, records: values("b")}.encode(t))
	got := lines(mustRead(t, set, 0, Options{Committed: true, Aborted: []Aborted{{1, 0}}}))
	if want := []string{`1 null="b"`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
