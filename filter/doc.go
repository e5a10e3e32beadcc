// Package filter decides which Kafka records a mapping delivers: it compiles the
// patterns of Lambda's FilterCriteria and matches record values against them.
//
//	set, err := filter.Compile([]string{`{"value":{"status":["NEW",{"prefix":"PENDING"}]}}`})
//	if err != nil { … }
//	var scratch filter.Scratch
//	if set.Match(&scratch, record.Value) == filter.Matched { … }
//
// A pattern names fields and, for each, an array of conditions. Filters are ORed, the fields of one pattern
// are ANDed, the conditions of one field are ORed. As in Lambda, the only root key for Kafka is "value".
// {"value":{…}} reads the record value as JSON; {"value":[…]} reads it as one plain string.
//
// A value is JSON when it is one valid JSON object or array, in UTF-8, no deeper than [MaxDepth]. Any other
// UTF-8 text, JSON scalars included, is a plain string. A nil value (a tombstone) is JSON null, and both
// kinds of pattern can read it. A value of a kind that no filter can read is [WrongKind] and does not match.
//
// Matching is one pass over the bytes: every byte is validated, only what a pattern names is decoded, and
// nothing is allocated once a [Scratch] has warmed up.
//
// The semantics are those that AWS's event engine shows, not always those that its documentation describes:
// 300, 300.0 and 3e2 are equal. docs/filter.md in the module's root describes them in full, with the few
// points where this package deliberately differs.
package filter
