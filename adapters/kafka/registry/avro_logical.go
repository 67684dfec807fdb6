package registry

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"strconv"
	"time"

	"github.com/twmb/avro"
)

// An avroLogical is what a value means beyond its kind
// (https://avro.apache.org/docs/1.12.0/specification/#logical-types).
type avroLogical uint8

const (
	logicalNone avroLogical = iota
	logicalDecimal
	logicalUUID
	logicalDuration
	logicalDate
	logicalTimeMillis
	logicalTimeMicros
	logicalTimestampMillis
	logicalTimestampMicros
	logicalTimestampNanos
	logicalLocalMillis
	logicalLocalMicros
	logicalLocalNanos
)

// logicalOf returns the logical type of n, or none if it isn't one of its
// kind: such are to be ignored, by the specification.
func logicalOf(n *avro.SchemaNode, kind avroKind) avroLogical {
	switch kind {
	case avroInt:
		return map[string]avroLogical{"date": logicalDate, "time-millis": logicalTimeMillis}[n.LogicalType]
	case avroLong:
		return map[string]avroLogical{
			"time-micros":            logicalTimeMicros,
			"timestamp-millis":       logicalTimestampMillis,
			"timestamp-micros":       logicalTimestampMicros,
			"timestamp-nanos":        logicalTimestampNanos,
			"local-timestamp-millis": logicalLocalMillis,
			"local-timestamp-micros": logicalLocalMicros,
			"local-timestamp-nanos":  logicalLocalNanos,
		}[n.LogicalType]
	case avroBytes, avroFixed:
		switch {
		case n.LogicalType == "decimal" && n.Precision > 0 && n.Scale >= 0 && n.Scale <= n.Precision && n.Precision <= maxPrecision:
			return logicalDecimal
		case kind == avroFixed && n.LogicalType == "uuid" && n.Size == sizeUUID:
			return logicalUUID
		case kind == avroFixed && n.LogicalType == "duration" && n.Size == sizeDuration:
			return logicalDuration
		}
	default:
	}
	return logicalNone
}

const (
	sizeUUID     = 16
	sizeDuration = 12

	// maxPrecision is the most digits that a decimal may have to be written as
	// one, and maxUnscaled the most bytes of its number.
	maxPrecision = 2000
	maxUnscaled  = 1024
)

// appendInteger writes an int or a long. Dates and times that can't be written
// as such, as ISO 8601 has no years beyond 9999 and a day no more than 24
// hours, are written as the number that they are.
func appendInteger(dst []byte, n int64, logical avroLogical) []byte {
	switch logical {
	case logicalDate:
		return appendTime(dst, n, time.Unix(n*86400, 0), `"2006-01-02"`)
	case logicalTimeMillis:
		return appendTimeOfDay(dst, n, time.Millisecond, `"15:04:05.000"`)
	case logicalTimeMicros:
		return appendTimeOfDay(dst, n, time.Microsecond, `"15:04:05.000000"`)
	case logicalTimestampMillis:
		return appendTime(dst, n, time.UnixMilli(n), `"2006-01-02T15:04:05.000Z"`)
	case logicalTimestampMicros:
		return appendTime(dst, n, time.UnixMicro(n), `"2006-01-02T15:04:05.000000Z"`)
	case logicalTimestampNanos:
		return appendTime(dst, n, time.Unix(0, n), `"2006-01-02T15:04:05.000000000Z"`)
	case logicalLocalMillis:
		return appendTime(dst, n, time.UnixMilli(n), `"2006-01-02T15:04:05.000"`)
	case logicalLocalMicros:
		return appendTime(dst, n, time.UnixMicro(n), `"2006-01-02T15:04:05.000000"`)
	case logicalLocalNanos:
		return appendTime(dst, n, time.Unix(0, n), `"2006-01-02T15:04:05.000000000"`)
	default:
		return strconv.AppendInt(dst, n, 10)
	}
}

func appendTime(dst []byte, n int64, t time.Time, layout string) []byte {
	t = t.UTC()
	if year := t.Year(); year < 0 || year > 9999 {
		return strconv.AppendInt(dst, n, 10)
	}
	return t.AppendFormat(dst, layout)
}

func appendTimeOfDay(dst []byte, n int64, unit time.Duration, layout string) []byte {
	if n < 0 || n >= int64(24*time.Hour/unit) {
		return strconv.AppendInt(dst, n, 10)
	}
	return time.Unix(0, n*int64(unit)).UTC().AppendFormat(dst, layout)
}

// appendBytes writes bytes or a fixed: base64 unless it is something else.
func appendBytes(dst, b []byte, t *avroType) []byte {
	switch {
	case t.logical == logicalDecimal && len(b) > 0 && len(b) <= maxUnscaled:
		return appendDecimal(dst, b, t.scale)
	case t.logical == logicalUUID:
		return appendUUID(dst, b)
	case t.logical == logicalDuration:
		return appendDuration(dst, b)
	}
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}

// appendDecimal writes a number, in two's complement and big-endian, × 10^-scale
// in quotes, with as many digits behind the point as the scale says.
func appendDecimal(dst, b []byte, scale int) []byte {
	var digits []byte
	negative := b[0] >= 0x80
	if len(b) <= 8 {
		var wide [8]byte
		if negative {
			wide = [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
		}
		copy(wide[8-len(b):], b)
		n := binary.BigEndian.Uint64(wide[:])
		if negative {
			n = -n
		}
		digits = strconv.AppendUint(nil, n, 10)
	} else {
		n := new(big.Int).SetBytes(b)
		if negative {
			n.Sub(new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))), n)
		}
		digits = n.Append(nil, 10)
	}

	dst = append(dst, '"')
	if negative {
		dst = append(dst, '-')
	}
	whole := len(digits) - scale
	if whole <= 0 {
		dst = append(dst, '0')
	} else {
		dst = append(dst, digits[:whole]...)
	}
	if scale > 0 {
		dst = append(dst, '.')
		for ; whole < 0; whole++ {
			dst = append(dst, '0')
		}
		dst = append(dst, digits[whole:]...)
	}
	return append(dst, '"')
}

// appendUUID writes 16 bytes as RFC 9562, section 4 has it.
func appendUUID(dst, b []byte) []byte {
	dst = append(dst, '"')
	for i, end := range []int{4, 6, 8, 10, 16} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, b[[]int{0, 4, 6, 8, 10}[i]:end])
	}
	return append(dst, '"')
}

// appendDuration writes months, days and milliseconds, each little-endian in 4
// bytes, as a duration of ISO 8601: "P1M2DT3.004S".
func appendDuration(dst, b []byte) []byte {
	months, days, millis := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
	dst = append(dst, `"P`...)
	if months > 0 {
		dst = append(strconv.AppendUint(dst, uint64(months), 10), 'M')
	}
	if days > 0 {
		dst = append(strconv.AppendUint(dst, uint64(days), 10), 'D')
	}
	if millis > 0 || months == 0 && days == 0 {
		dst = append(dst, 'T')
		dst = strconv.AppendUint(dst, uint64(millis/1000), 10)
		if fraction := millis % 1000; fraction > 0 {
			dst = append(dst, '.', byte('0'+fraction/100), byte('0'+fraction/10%10), byte('0'+fraction%10))
		}
		dst = append(dst, 'S')
	}
	return append(dst, '"')
}
