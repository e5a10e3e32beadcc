package filter

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of patterns and events.
const (
	// DefaultMaxFilters is how many filters a mapping may have (Lambda's default quota).
	DefaultMaxFilters = 5
	// QuotaMaxFilters is the most that [WithMaxFilters] allows (Lambda's quota after an increase).
	QuotaMaxFilters = 10
	// MaxPatternLength is the maximum length of a pattern in characters (Lambda's API: 0 to 4096).
	MaxPatternLength = 4096
	// MaxPatternDepth is how deep objects and arrays of a pattern may nest. Our limit; AWS publishes none.
	MaxPatternDepth = 128
	// MaxBranches is how many combinations the $or of one filter may multiply to. Our limit; AWS publishes
	// none.
	MaxBranches = 1000
	// MaxDepth is how deep objects and arrays of a record's value may nest to be read as JSON. It is the
	// default of Jackson, the JSON reader of AWS's open-source engine.
	MaxDepth = 1000
)

// valueKey is the only root key that Lambda allows in filters for Kafka records.
const valueKey = "value"

// Outcome is the result of [Set.Match].
type Outcome uint8

const (
	// NotMatched means that at least one filter could read the value and that it meets none.
	NotMatched Outcome = iota
	// Matched means that the value meets a filter.
	Matched
	// WrongKind means that no filter can read the value: it is plain text or not UTF-8 and every filter wants
	// JSON, or it is JSON and every filter wants plain text. It does not match; it is a separate outcome so
	// that it can be counted separately.
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

// Strict rejects what Lambda's table of comparison operators does not list, although Lambda's documentation
// says that EventBridge's syntax applies: wildcard, cidr, exactly, ignore-case prefixes and suffixes, and
// operators inside anything-but. By default they are accepted.
func Strict() Option { return func(o *options) { o.strict = true } }

// WithMaxFilters sets how many filters are accepted, 1 to [QuotaMaxFilters].
// Default: [DefaultMaxFilters].
func WithMaxFilters(n int) Option { return func(o *options) { o.maxFilters = n } }

// Set is a compiled list of filters. It never changes. Any number of goroutines may use it at the same time,
// each with its own [Scratch].
type Set struct {
	tests    []test // sorted by path, so that the tests below a node are adjacent
	paths    []string
	branches []branch
	words    int      // length of a row of bits, one bit per test
	absent   []uint64 // the tests with exists:false
	absents  bool     // there are such tests
	root     *node
	spans    []span // by node: the tests strictly below it
	json     bool   // some branch reads JSON
	text     bool   // some branch reads plain text
}

// branch is one way to match. A filter has one, or more with $or.
type branch struct {
	filter int
	json   bool     // it names a field below the root; otherwise the root itself is the leaf
	mask   []uint64 // its tests
	first  uint64   // of mask
}

// Compile compiles the patterns of a FilterCriteria, each the JSON text of one filter. A value matches the
// set if it matches one of them; an empty set matches everything. The error, if any, is an
// [*InvalidPatternError].
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

// expand parses one pattern into branches.
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

// build numbers the tests in the order of their paths, and builds the trie and the masks.
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
