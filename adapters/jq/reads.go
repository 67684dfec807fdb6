package jq

import (
	"slices"
	"strings"

	"github.com/itchyny/gojq"
)

// ReadsInput reports whether x may look at its input. One that doesn't, such
// as $headers.id or $subject | split(".")[1], can be run on anything. It errs
// on the side of true.
func (x *Expression) ReadsInput() bool { return x.reads }

// reads reports whether q may look at its input.
func reads(q *gojq.Query) bool {
	switch {
	case q == nil:
		return false
	case len(q.FuncDefs) > 0 || len(q.Imports) > 0 || len(q.Patterns) > 0:
		return true
	case q.Term != nil:
		return termReads(q.Term)
	case q.Op == gojq.OpPipe: // what is right of it has the left's output for its input
		return reads(q.Left)
	default:
		return reads(q.Left) || reads(q.Right)
	}
}

func termReads(t *gojq.Term) bool {
	for _, s := range t.SuffixList {
		if s.Index != nil && (stringReads(s.Index.Str) || reads(s.Index.Start) || reads(s.Index.End)) {
			return true
		}
	}
	switch t.Type {
	case gojq.TermTypeNull, gojq.TermTypeTrue, gojq.TermTypeFalse, gojq.TermTypeNumber:
		return false
	case gojq.TermTypeFunc:
		return !strings.HasPrefix(t.Func.Name, "$")
	case gojq.TermTypeString:
		return stringReads(t.Str)
	case gojq.TermTypeArray:
		return reads(t.Array.Query)
	case gojq.TermTypeObject:
		return slices.ContainsFunc(t.Object.KeyVals, func(kv *gojq.ObjectKeyVal) bool {
			// {a} is short for {a: .a}, and {$a} is not.
			short := kv.Val == nil && !strings.HasPrefix(kv.Key, "$")
			return short || stringReads(kv.KeyString) || reads(kv.KeyQuery) || reads(kv.Val)
		})
	case gojq.TermTypeQuery:
		return reads(t.Query)
	default:
		return true
	}
}

// stringReads is about a text with expressions in it.
func stringReads(s *gojq.String) bool {
	return s != nil && slices.ContainsFunc(s.Queries, reads)
}
