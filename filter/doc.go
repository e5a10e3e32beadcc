// Package filter decides which Kafka records a mapping delivers: it compiles the
// patterns of Lambda's FilterCriteria and matches record values against them.
//
//	set, err := filter.Compile([]string{`{"value":{"status":["NEW",{"prefix":"PENDING"}]}}`})
//	if err != nil { … }
//	var scratch filter.Scratch
//	if set.Match(&scratch, record.Value) == filter.Matched { … }
//
// A pattern names fields and, for each, an array of conditions. Filters are ORed,
// the fields of one pattern are ANDed, the conditions of one field are ORed. For
// Kafka the only root key is "value", as with Lambda. {"value":{…}} reads the record
// value as JSON; {"value":[…]} reads it as one plain string.
//
// A value is JSON when it is one valid JSON object or array, in UTF-8, no deeper than
// [MaxDepth]; any other UTF-8 text, JSON scalars included, is a plain string. A nil
// value (a tombstone) is JSON null, and suits both sorts of pattern. A value that no
// filter can read because it is of the other kind is [WrongKind], and does not match.
//
// Matching is one pass over the bytes: every byte is validated, nothing is decoded
// that no pattern names, and nothing is allocated once a [Scratch] has warmed up.
//
// The semantics are those that AWS's event engine shows (not always those its pages
// describe: 300, 300.0 and 3e2 are equal). docs/filter.md at the module's root tells
// them in full, with the few points where this package deliberately differs.
package filter
