package filter

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Explanation says why a value matches a filter or does not. It is meant for people; its texts may change.
type Explanation struct {
	Outcome Outcome
	// Kind is how the value was read: "JSON", "plain string", "null (tombstone)" or "not UTF-8".
	Kind string
	// Alternatives are the ways to match, of which one suffices: one, or more with $or.
	Alternatives []Alternative
}

// Alternative is one way to match a filter: all of its fields must be met.
type Alternative struct {
	Outcome Outcome
	Fields  []FieldResult
	// Reason says what else prevents the alternative from matching, apart from its fields, if anything does.
	Reason string
}

// FieldResult is the result of one field of a pattern for a value.
type FieldResult struct {
	Path   string   // the keys from "value" on, joined by dots
	Want   string   // the conditions, as written in the pattern
	Found  []string // the values at the path as JSON, long ones shortened
	Met    bool     // a value, or the lack of one, meets the conditions
	Reason string
}

// Explain matches value against one pattern and reports for each field what was wanted and what was found. It
// decodes and allocates: use [Set.Match] to filter. The error is the one of [Compile].
func Explain(pattern string, value []byte, opts ...Option) (*Explanation, error) {
	set, err := Compile([]string{pattern}, opts...)
	if err != nil {
		return nil, err
	}
	var scratch Scratch
	e := &Explanation{Outcome: set.Match(&scratch, value)}
	leaves := leafCollector{leaves: map[string][]explainedLeaf{}, containers: map[string]bool{}}
	isJSON, isText := e.read(value, &leaves)
	for i := range set.branches {
		b := &set.branches[i]
		a := Alternative{Outcome: WrongKind}
		all := true
		for id := range set.tests {
			if b.mask[id>>6]&(1<<(id&63)) == 0 {
				continue
			}
			f := leaves.explain(set.paths[id], &set.tests[id])
			all = all && f.Met
			a.Fields = append(a.Fields, f)
		}
		switch {
		case b.json && !isJSON:
			a.Reason = "the pattern wants a JSON object or array as the value"
		case !b.json && !isText:
			a.Reason = "the pattern wants a plain string as the value"
		case scratch.meets(b):
			a.Outcome = Matched
			for i := range a.Fields {
				if f := &a.Fields[i]; !f.Met {
					f.Met = true
					f.Reason = "met: in the array element that the other fields chose there is no value"
				}
			}
		default:
			a.Outcome = NotMatched
			if all {
				a.Reason = "each field is met on its own, but only by values in different elements of one array; one element has to meet them together"
			}
		}
		e.Alternatives = append(e.Alternatives, a)
	}
	return e, nil
}

// read collects the value's leaves and reports which kinds of branches can read it.
func (e *Explanation) read(value []byte, leaves *leafCollector) (isJSON, isText bool) {
	root := valueKey
	if value == nil {
		e.Kind = "null (tombstone)"
		leaves.walk(root, &tree{kind: kindLiteral, lit: litNull, end: 4}, []byte("null"))
		return true, true
	}
	if !utf8.Valid(value) {
		e.Kind = "not UTF-8"
		return false, false
	}
	r := treeReader{b: value, depth: MaxDepth}
	if c := r.next(); c == '{' || c == '[' {
		t, err := r.value(0)
		if r.space(); err == nil && r.i == len(value) {
			e.Kind = "JSON"
			leaves.walk(root, &t, value)
			return true, false
		}
	}
	e.Kind = "plain string"
	leaves.add(root, explainedLeaf{text: quote(value), tree: &tree{kind: kindString, str: value}})
	return false, true
}

// explainedLeaf is a leaf of the value.
type explainedLeaf struct {
	text string
	tree *tree
}

func (l *explainedLeaf) meets(t *test) bool {
	switch l.tree.kind {
	case kindString:
		return t.string(l.tree.str)
	case kindNumber:
		d := parseDecimal(l.tree.str)
		return t.number(&d)
	}
	return t.literal(l.tree.lit)
}

type leafCollector struct {
	leaves     map[string][]explainedLeaf
	containers map[string]bool // paths at which there is an object or array
}

func (c *leafCollector) add(path string, l explainedLeaf) {
	c.leaves[path] = append(c.leaves[path], l)
}

func (c *leafCollector) walk(path string, t *tree, value []byte) {
	switch t.kind {
	case kindObject:
		c.containers[path] = true
		for i, k := range t.keys {
			c.walk(path+"."+k.name, &t.kids[i], value)
		}
	case kindArray:
		c.containers[path] = true
		for i := range t.kids {
			c.walk(path, &t.kids[i], value)
		}
	default:
		c.add(path, explainedLeaf{text: shorten(string(value[t.off:t.end])), tree: t})
	}
}

func (c *leafCollector) explain(path string, t *test) FieldResult {
	f := FieldResult{Path: path, Want: t.source}
	met, hint := 0, ""
	for i := range c.leaves[path] {
		l := &c.leaves[path][i]
		f.Found = append(f.Found, l.text)
		switch {
		case l.meets(t):
			met++
		case hint == "":
			hint = l.hint(t)
		}
	}
	n := len(f.Found)
	switch {
	case met > 0:
		f.Met = true
		f.Reason = "met"
		if n > 1 {
			f.Reason = fmt.Sprintf("met by %d of %d values", met, n)
		}
	case n == 0 && t.absent:
		f.Met = true
		f.Reason = "met: there is no value"
	case n == 0 && c.containers[path]:
		f.Reason = "the value is an object, or an array without plain elements; conditions look at strings, numbers, true, false and null only"
	case n == 0:
		f.Reason = "there is no such field"
	case t.absent:
		f.Reason = "there is a value"
	case hint != "":
		f.Reason = hint
	default:
		f.Reason = "no condition is met"
	}
	return f
}

// hint names the most common mistake: the right text in the wrong type.
func (l *explainedLeaf) hint(t *test) string {
	switch l.tree.kind {
	case kindString:
		if s := l.tree.str; len(s) > 0 && (s[0] == '-' || s[0]-'0' <= 9) && scanNumber(s, 0) == len(s) {
			if d := parseDecimal(s); t.number(&d) {
				return "the value is a string, the pattern wants a number"
			}
		}
		if end, lit := scanLiteral(l.tree.str, 0); end == len(l.tree.str) && t.literals&lit != 0 {
			return "the value is a string, the pattern wants the word without quotes"
		}
		for _, s := range t.strings.list {
			if bytes.EqualFold(s, l.tree.str) {
				return "the letters' case differs; {\"equals-ignore-case\": …} would pass over that"
			}
		}
	default:
		if t.strings.has([]byte(l.text)) {
			return "the pattern wants a string, the value has no quotes"
		}
	}
	return ""
}

func quote(s []byte) string { return shorten(fmt.Sprintf("%q", s)) }

// shorten shortens a text for display, between runes.
func shorten(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	n := most
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// String formats the explanation over several lines.
func (e *Explanation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v (value read as %s)\n", e.Outcome, e.Kind)
	for i, a := range e.Alternatives {
		indent := "  "
		if len(e.Alternatives) > 1 {
			fmt.Fprintf(&b, "  alternative %d of %d: %v\n", i+1, len(e.Alternatives), a.Outcome)
			indent = "    "
		}
		if a.Reason != "" {
			fmt.Fprintf(&b, "%s%s\n", indent, a.Reason)
		}
		if a.Outcome == WrongKind {
			continue
		}
		for _, f := range a.Fields {
			mark := "-"
			if f.Met {
				mark = "+"
			}
			found := "nothing"
			if len(f.Found) > 0 {
				found = shorten(strings.Join(f.Found, ", "))
			}
			fmt.Fprintf(&b, "%s%s %s wants %s, found %s: %s\n", indent, mark, f.Path, f.Want, found, f.Reason)
		}
	}
	return b.String()
}
