package record

import (
	"slices"
	"testing"
)

func TestMessages(t *testing.T) {
	one := testMessage{magic: 0, offset: 7, key: []byte("k"), value: []byte("v")}
	tests := []struct {
		name string
		set  []byte
		from int64
		want []string
		end  int64
	}{
		{name: "format 0", set: one.encode(), want: []string{`7 "k"="v" timeless`}, end: 8},
		{
			name: "format 1", set: testMessage{magic: 1, offset: 7, key: []byte("k"), value: []byte("v")}.encode(),
			want: []string{`7 "k"="v"`}, end: 8,
		},
		{
			name: "format 1, with a time of the broker",
			set:  testMessage{magic: 1, offset: 7, attributes: logAppendTime}.encode(),
			want: []string{`7 null=null`}, end: 8,
		},
		{
			name: "null and empty",
			set: join(testMessage{offset: 1}.encode(), testMessage{offset: 2, key: []byte{}, value: []byte{}}.encode(),
				testMessage{magic: 1, offset: 3}.encode(), testMessage{magic: 1, offset: 4, key: []byte{}, value: []byte{}}.encode()),
			want: []string{`1 null=null timeless`, `2 ""="" timeless`, `3 null=null`, `4 ""=""`}, end: 5,
		},
		{name: "before from", set: one.encode(), from: 8, end: 8},
		{
			name: "all formats in one set, with holes",
			set: join(one.encode(), testMessage{magic: 1, offset: 10}.encode(),
				testBatch{first: 12, records: values("a")}.encode(t), testMessage{magic: 0, offset: 20}.encode()),
			want: []string{`7 "k"="v" timeless`, `10 null=null`, `12 null="a"`, `20 null=null timeless`}, end: 21,
		},
		{
			name: "compressed, format 0: offsets as they are",
			set: wrap(t, 0, int8(gzipCodec), 9,
				testMessage{offset: 5, value: []byte("a")}, testMessage{offset: 6, value: []byte("b")}, testMessage{offset: 9, value: []byte("c")}).encode(),
			from: 6, want: []string{`6 null="b" timeless`, `9 null="c" timeless`}, end: 10,
		},
		{
			name: "compressed, format 1: relative offsets, compacted",
			set: wrap(t, 1, int8(gzipCodec), 107,
				testMessage{magic: 1, offset: 1, value: []byte("a")}, testMessage{magic: 1, offset: 4, value: []byte("b")}, testMessage{magic: 1, offset: 7, value: []byte("c")}).encode(),
			from: 102, want: []string{`104 null="b"`, `107 null="c"`}, end: 108,
		},
		{
			name: "compressed, format 1, at the beginning of the log",
			set:  wrap(t, 1, int8(gzipCodec), 0, testMessage{magic: 1, value: []byte("a")}).encode(),
			want: []string{`0 null="a"`}, end: 1,
		},
		{
			name: "compressed, format 1 with messages of format 0",
			set:  wrap(t, 1, int8(gzipCodec), 3, testMessage{offset: 0, value: []byte("a")}, testMessage{magic: 1, offset: 1, value: []byte("b")}).encode(),
			want: []string{`2 null="a" timeless`, `3 null="b"`}, end: 4,
		},
		{
			name: "compressed, after another",
			set: join(wrap(t, 1, int8(snappyCodec), 1, testMessage{magic: 1, offset: 0}, testMessage{magic: 1, offset: 1}).encode(),
				wrap(t, 1, int8(lz4Codec), 3, testMessage{magic: 1, offset: 0}, testMessage{magic: 1, offset: 1}).encode()),
			want: []string{`0 null=null`, `1 null=null`, `2 null=null`, `3 null=null`}, end: 4,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := lines(mustRead(t, tt.set, tt.from, Options{}))
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q\nwant %q", got, tt.want)
			}
			if got := End(tt.set, tt.from); got != tt.end {
				t.Errorf("got End %d, want %d", got, tt.end)
			}
		})
	}
}

// TestMessagesTakeTheTimeOfTheirWrapper is about brokers that set the time:
// they set it in the wrapper alone, to leave the rest as it is.
func TestMessagesTakeTheTimeOfTheirWrapper(t *testing.T) {
	inside := []testMessage{{magic: 1, offset: 0}, {magic: 0, offset: 1}}
	w := wrap(t, 1, int8(gzipCodec), 1, inside...)
	w.attributes |= logAppendTime
	set := w.encode()
	set[messageTimestampAt+7] += 5 // milliseconds; at's last byte has room
	got := lines(mustRead(t, resum(set), 0, Options{}))
	if want := []string{`0 null=null 5ms`, `1 null=null timeless`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
