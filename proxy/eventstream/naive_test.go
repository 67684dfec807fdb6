package eventstream_test

import (
	"math/big"
	"strings"
	"time"
)

// A received event is what a user of a stream can see at one moment: the
// event, and what is to be known about reconnecting.
type received struct {
	id, typ, data string
	lastID        string
	retry         time.Duration // -1: none yet
}

// naiveParse is the standard's algorithm, step by step and in its own order,
// over a stream that is there as a whole. It also returns the state at the
// end of the stream, with no event in it.
func naiveParse(stream string) (events []received, end received) {
	text := naiveDecode(stream)
	end.retry = -1
	var data, eventType, lastEventIDBuffer string

	dispatch := func() {
		// 1. Set the last event ID string of the event source to the value
		// of the last event ID buffer.
		end.lastID = lastEventIDBuffer
		// 2. If the data buffer is an empty string, set the data buffer and
		// the event type buffer to the empty string and return.
		if data == "" {
			eventType = ""
			return
		}
		// 3. If the data buffer's last character is a LF, then remove it.
		data = strings.TrimSuffix(data, "\n")
		// 4–6. The event, of type message unless the buffer says otherwise.
		e := end
		e.id, e.typ, e.data = end.lastID, "message", data
		if eventType != "" {
			e.typ = eventType
		}
		// 7–8. Reset the buffers and dispatch.
		data, eventType = "", ""
		events = append(events, e)
	}
	process := func(field, value string) {
		switch field {
		case "event":
			eventType = value
		case "data":
			data += value + "\n"
		case "id":
			if !strings.Contains(value, "\x00") {
				lastEventIDBuffer = value
			}
		case "retry":
			if value != "" && strings.Trim(value, "0123456789") == "" {
				end.retry = naiveMilliseconds(value)
			}
		}
	}
	for _, line := range naiveLines(text) {
		switch colon := strings.Index(line, ":"); {
		case line == "":
			dispatch()
		case colon == 0:
			// A comment.
		case colon > 0:
			process(line[:colon], strings.TrimPrefix(line[colon+1:], " "))
		default:
			process(line, "")
		}
	}
	return events, end
}

// naiveLines returns the lines that end, in CRLF, LF or CR.
func naiveLines(text string) []string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.ReplaceAll(text, "\r", "\n")
	lines := strings.Split(text, "\n")
	return lines[:len(lines)-1]
}

func naiveMilliseconds(digits string) time.Duration {
	longest := big.NewInt(int64((1<<63 - 1) / time.Millisecond))
	n, _ := new(big.Int).SetString(digits, 10)
	if n.Cmp(longest) > 0 {
		n = longest
	}
	return time.Duration(n.Int64()) * time.Millisecond
}

// naiveDecode is "UTF-8 decode" of the WHATWG Encoding standard, section 6,
// with the decoder of section 8.1.1, which is a state machine over bytes.
func naiveDecode(stream string) string {
	stream = strings.TrimPrefix(stream, "\xEF\xBB\xBF")
	var (
		out            strings.Builder
		codePoint      rune
		seen, needed   int
		lower, upper   = byte(0x80), byte(0xBF)
		resetToInitial = func() { codePoint, seen, needed, lower, upper = 0, 0, 0, 0x80, 0xBF }
	)
	for i := 0; i < len(stream); i++ {
		b := stream[i]
		if needed == 0 {
			switch {
			case b <= 0x7F:
				out.WriteByte(b)
			case 0xC2 <= b && b <= 0xDF:
				needed, codePoint = 1, rune(b&0x1F)
			case 0xE0 <= b && b <= 0xEF:
				if b == 0xE0 {
					lower = 0xA0
				}
				if b == 0xED {
					upper = 0x9F
				}
				needed, codePoint = 2, rune(b&0xF)
			case 0xF0 <= b && b <= 0xF4:
				if b == 0xF0 {
					lower = 0x90
				}
				if b == 0xF4 {
					upper = 0x8F
				}
				needed, codePoint = 3, rune(b&0x7)
			default:
				out.WriteRune('\uFFFD')
			}
			continue
		}
		if b < lower || b > upper {
			resetToInitial()
			i-- // "Restore byte to ioQueue", then error.
			out.WriteRune('\uFFFD')
			continue
		}
		lower, upper = 0x80, 0xBF
		codePoint = codePoint<<6 | rune(b&0x3F)
		if seen++; seen == needed {
			out.WriteRune(codePoint)
			resetToInitial()
		}
	}
	if needed != 0 {
		out.WriteRune('\uFFFD')
	}
	return out.String()
}
