package filter

import "strings"

// A pattern is expanded into branches: a record matches the filter when it matches one branch, and a branch
// when it meets all of its fields. Only $or creates more than one.

// field is one requirement of a branch.
type field struct {
	path int32 // index in expander.paths
	test *test
}

// expander turns one pattern's tree into branches. As in AWS's engine, the order in the text counts: $or
// copies the existing branches once for each alternative, fields after it are added to all of them, and a
// path that is named again in a branch replaces the earlier one.
type expander struct {
	operatorReader
	root  string // the only root key allowed; "" allows all (whole events)
	paths *pathTable
	limit int
}

// pathTable numbers the dotted paths of all filters.
type pathTable struct {
	names []string
	index map[string]int32
}

func (p *pathTable) id(name string) int32 {
	if id, ok := p.index[name]; ok {
		return id
	}
	id := int32(len(p.names))
	p.names = append(p.names, name)
	p.index[name] = id
	return id
}

// place is the position of an object in the pattern.
type place struct {
	prefix string // the path so far with its final dot; "" at the root
	inOr   bool
}

// object adds the fields of t to every branch and returns the branches.
func (e *expander) object(t *tree, at place, branches [][]field) ([][]field, *PatternError) {
	if len(t.keys) == 0 {
		return nil, refuse(t.off, "an empty object names no field")
	}
	for i, key := range t.keys {
		v := &t.kids[i]
		var err *PatternError
		if key.name == "$or" {
			if branches, err = e.or(v, at, branches); err != nil {
				return nil, err
			}
			continue
		}
		if at.inOr && isOperatorName(key.name) {
			return nil, refuse(key.off, "%q is an operator's name and cannot name a field inside $or", key.name)
		}
		path := at.prefix + key.name
		if at.prefix == "" && e.root != "" && path != e.root && !strings.HasPrefix(path, e.root+".") {
			return nil, refuse(key.off, "the root key must be %q, the record's value; Kafka records cannot be filtered by %q", e.root, key.name)
		}
		switch v.kind {
		case kindObject:
			branches, err = e.object(v, place{prefix: path + ".", inOr: at.inOr}, branches)
		case kindArray:
			err = e.field(path, v, branches)
		default:
			err = refuse(v.off, "%q must be an object or an array; a single value is written as an array of one", key.name)
		}
		if err != nil {
			return nil, err
		}
	}
	return branches, nil
}

func (e *expander) or(t *tree, at place, branches [][]field) ([][]field, *PatternError) {
	if t.kind != kindArray || len(t.kids) < 2 {
		return nil, refuse(t.off, "$or takes an array of two objects or more")
	}
	var out [][]field
	for i := range t.kids {
		alt := &t.kids[i]
		if alt.kind != kindObject {
			return nil, refuse(alt.off, "$or takes objects, each with the fields of one alternative")
		}
		copied := make([][]field, len(branches))
		for j, b := range branches {
			copied[j] = append(make([]field, 0, len(b)+4), b...)
		}
		made, err := e.object(alt, place{prefix: at.prefix, inOr: true}, copied)
		if err != nil {
			return nil, err
		}
		if len(out)+len(made) > e.limit {
			return nil, refuse(t.off, "$or multiplies to more than %d combinations; write fewer alternatives, or value lists in place of $or", e.limit)
		}
		out = append(out, made...)
	}
	return out, nil
}

// field sets the test of a path in every branch.
func (e *expander) field(path string, t *tree, branches [][]field) *PatternError {
	test, err := e.test(t)
	if err != nil {
		return err
	}
	id := e.paths.id(path)
next:
	for i, b := range branches {
		for j := range b {
			if b[j].path == id {
				b[j].test = test
				continue next
			}
		}
		branches[i] = append(b, field{path: id, test: test})
	}
	return nil
}
