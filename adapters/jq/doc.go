// Package jq runs expressions of configuration, written in the jq language,
// on JSON. The language is that of https://jqlang.org/manual/ as gojq has it.
//
// # Numbers
//
// A number that an expression hands on stays exactly as the upstream wrote
// it: 1e400, 0.10, 1.0 and integers of any length go through Decode, First or
// All, and Encode unchanged, also when what is around them is selected, sorted,
// deleted or built anew. Only what computes with a number makes another of it:
// the operators of arithmetic, add, the functions of mathematics, tonumber
// given a text, and literals in the expression itself. Integers are then still
// exact; all else is a float64, and one that is too large the largest of them.
// Comparisons follow the same rules: 64-bit ids are told apart, 1 equals 1.0,
// and 1e400 equals 1e401.
//
// # Bounds
//
// Decode refuses what is nested more than [MaxDepth] deep and numbers of more
// than [MaxDigits] digits, and so do tonumber and fromjson within
// expressions. A run ends when its time is up or its context is done, and
// yields no more values than asked for. It sees nothing but its input and its
// variables: no environment, no files, no other input.
//
// Time is looked at between the steps of an expression. A single step can use
// memory without bound ("x" * .n), or time that is the product of the sizes of
// what it is given (.a - .b); a regular expression is kept for as long as the
// Expression is, so that it should be written there, not be part of a message.
// Expressions belong to the configuration and are trusted in this.
//
// # Errors
//
// An error quotes the expression at most, never the values that it was run on.
//
// # Ownership
//
// A run doesn't change its input, but what it yields shares parts with it:
// treat both as read-only. An [Expression] is safe for concurrent use, and so
// are runs on the same input.
package jq
