// Package jsondoc holds JSON documents in canonical form, as bytes, and says
// exactly what changed between two of them: as an RFC 6902 patch or as an
// RFC 7396 merge patch.
//
// # Guarantees
//
//   - [Canonical] gives equal documents equal bytes. Numbers stay as they were
//     written: 1.0 and 1 are two documents, and no digit is lost.
//   - A patch is exact: applied to from, it gives to, byte for byte in
//     canonical form. So does a merge patch.
//   - The same two documents, under the same options, have the same patch.
//   - A patch never is larger than one that replaces the whole document, and
//     the same holds of each object and array in it.
//
// # Cost and bounds
//
// Nothing is decoded. A document is read once into a tape, which has 12 bytes
// for each value (at most 6 for each byte of text); what is equal is found so
// by comparing bytes, and what is written into a patch is cut from the text.
// Pointers and values are copied once, after it is settled which operations
// the patch consists of. A [Differ] keeps the memory of its tapes for the next
// comparison, until the garbage collector takes it.
//
// Work and memory grow with the length of the documents, times a logarithm
// where members have to be sorted or elements to be moved. Three things are
// bounded apart: nesting by [MaxDepth] (bytes may be compared once for each
// level), the alignment of one array without keys by [Options.MaxCells], and
// the size of a patch by the caller.
//
// Errors and notes never hold anything of a document.
package jsondoc
