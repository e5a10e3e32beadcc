package filter

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of patterns and events.
const (
	// DefaultMaxFilters is how many filters a mapping may have (Lambda's quota before an increase).
	DefaultMaxFilters = 5
	// QuotaMaxFilters is how many it may have at most, with [WithMaxFilters] (Lambda's raised quota).
	QuotaMaxFilters = 10
	// MaxPatternLength is the length of a pattern at most, in characters (Lambda's API: 0 to 4096).
	MaxPatternLength = 4096
	// MaxPatternDepth is how deep objects and arrays of a pattern may nest. Ours; AWS publishes none.
	MaxPatternDepth = 128
	// MaxBranches is how many combinations the $or of one filter may multiply to. Ours; AWS publishes none.
	MaxBranches = 1000
	// MaxDepth is how deep objects and arrays of a record's value may nest to be read as JSON.
	// It is Jackson's default, the JSON reader beneath AWS's open engine.
	MaxDepth = 1000
)

// valueKey is the one root key that Lambda filters Kafka records by.
const valueKey = "value"

// Outcome is what [Set.Match] finds.
type Outcome uint8

const (
	// NotMatched says that the value was read by a filter at least and meets none.
	NotMatched Outcome = iota
	// Matched says that the value meets a filter.
	Matched
	// WrongKind says that no filter can read the value: it is plain text or not UTF-8 and
	// every filter wants JSON, or it is JSON and every filter wants plain text. It does not
	// match; it is told apart so that it can be counted apart.
	WrongKind
)

// String returns the constant's name.
func (o Outcome) String() string {
	switch o {
	case NotMatched:
		return "NotMatched"
	case Matched:
		return "Matched"
	case WrongKind:
		return "WrongKind"
	}
	return fmt.Sprintf("Outcome(%d)", uint8(o))
}

// Option changes how [Compile] reads patterns.
type Option func(*options)

type options struct {
	strict     bool
	maxFilters int
	root       string
}

// Strict refuses what Lambda's table of comparison operators does not list, though its
// pages say that EventBridge's syntax applies: wildcard, cidr, exactly, ignore-case
// prefixes and suffixes, and operators inside anything-but. Default: they are accepted.
func Strict() Option { return func(o *options) { o.strict = true } }

// WithMaxFilters sets how many filters are accepted, 1 to [QuotaMaxFilters].
// Default: [DefaultMaxFilters].
func WithMaxFilters(n int) Option { return func(o *options) { o.maxFilters = n } }

// Set is a compiled list of filters. It never changes, and any number of goroutines may
// use it at a time, each with its own [Scratch].
type Set struct {
	tests    []test // sorted by path, so that the tests below a node are neighbours
	paths    []string
	branches []branch
	words    int      // length of a row of bits, one bit a test
	absent   []uint64 // the tests that hold exists:false
	absents  bool     // there are such
	root     *node
	spans    []span // by node: the tests strictly below it
	json     bool   // some branch reads JSON
	text     bool   // some branch reads plain text
}

// branch is one way to match. A filter has one, or more through $or.
type branch struct {
	filter int
	json   bool     // it asks for a field below the root; else the root itself is the leaf
	mask   []uint64 // its tests
	first  uint64   // of mask
}

// Compile compiles the patterns of a FilterCriteria, each the JSON text of one filter. A
// value matches the set when it matches one of them; a set of no patterns matches all.
// The error, if any, is an [*InvalidPatternError].
func Compile(patterns []string, opts ...Option) (*Set, error) {
	o := options{maxFilters: DefaultMaxFilters, root: valueKey}
	for _, opt := range opts {
		opt(&o)
	}
	problem := &InvalidPatternError{}
	if o.maxFilters < 1 || o.maxFilters > QuotaMaxFilters {
		problem.Problems = append(problem.Problems, refuse(0, "the greatest number of filters must be 1 to %d, not %d", QuotaMaxFilters, o.maxFilters))
		return nil, problem
	}
	if len(patterns) > o.maxFilters {
		problem.Problems = append(problem.Problems, refuse(0, "%d filters are given, %d are allowed (WithMaxFilters allows up to %d)", len(patterns), o.maxFilters, QuotaMaxFilters))
		return nil, problem
	}
	paths := &pathTable{index: map[string]int32{}}
	var all [][]field
	var filters []int
	for i, p := range patterns {
		branches, err := expand(p, o, paths)
		if err != nil {
			err.Filter = i + 1
			problem.Problems = append(problem.Problems, err)
			continue
		}
		for range branches {
			filters = append(filters, i)
		}
		all = append(all, branches...)
	}
	if len(problem.Problems) > 0 {
		return nil, problem
	}
	return build(all, filters, o.root, paths.names), nil
}

// expand reads one pattern into branches.
func expand(pattern string, o options, paths *pathTable) ([][]field, *PatternError) {
	if n := utf8.RuneCountInString(pattern); n > MaxPatternLength {
		return nil, refuse(0, "the pattern is %d characters long, %d are allowed", n, MaxPatternLength)
	}
	t, err := parseTree(pattern)
	if err != nil {
		return nil, err
	}
	if t.kind != kindObject {
		return nil, refuse(t.off, "a pattern is a JSON object, as {%q: {\"status\": [\"NEW\"]}}", o.root)
	}
	e := expander{operatorReader: operatorReader{pattern: pattern, strict: o.strict}, root: o.root, paths: paths, limit: MaxBranches}
	return e.object(&t, place{}, [][]field{nil})
}

// build numbers the tests in the order of their paths, and makes trie and masks.
func build(all [][]field, filters []int, root string, paths []string) *Set {
	var used []field
	seen := map[*test]int{}
	for _, b := range all {
		for _, f := range b {
			if _, ok := seen[f.test]; !ok {
				seen[f.test] = 0
				used = append(used, f)
			}
		}
	}
	slices.SortStableFunc(used, func(a, b field) int { return strings.Compare(paths[a.path], paths[b.path]) })
	s := &Set{words: (len(used) + 63) / 64, root: &node{}}
	s.absent = make([]uint64, s.words)
	s.tests = make([]test, 0, len(used))
	s.spans = make([]span, 1)
	for i, f := range used {
		seen[f.test] = i
		s.tests = append(s.tests, *f.test)
		s.paths = append(s.paths, paths[f.path])
		if f.test.absent {
			s.absents = true
			s.absent[i>>6] |= 1 << (i & 63)
		}
		s.root.insert(paths[f.path], root, int32(i), &s.spans)
	}
	s.root.seal(s.tests)
	for i, b := range all {
		out := branch{filter: filters[i], mask: make([]uint64, s.words)}
		for _, f := range b {
			id := seen[f.test]
			out.mask[id>>6] |= 1 << (id & 63)
			out.json = out.json || paths[f.path] != root || root == ""
		}
		out.first = out.mask[0]
		s.json = s.json || out.json
		s.text = s.text || !out.json
		s.branches = append(s.branches, out)
	}
	return s
}
