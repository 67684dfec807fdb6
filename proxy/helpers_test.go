package proxy

import (
	"strconv"
	"strings"
)

// retryLines returns the values of all retry fields in a stream.
func retryLines(stream string) []int {
	var list []int
	for line := range strings.Lines(stream) {
		if value, ok := strings.CutPrefix(line, "retry: "); ok {
			n, err := strconv.Atoi(strings.TrimSpace(value))
			if err == nil {
				list = append(list, n)
			}
		}
	}
	return list
}
