package filter

import (
	"slices"
	"unicode/utf8"
)

// Scratch is the working memory of matching. The zero value is ready to use. It grows to what the records
// need and is then reused, for any Set. Only one goroutine may use it at a time.
type Scratch struct {
	set *Set
	b   []byte

	// Bits of tests. A leaf is "inside" if it is in an object or array that is an element of an array. Any
	// other leaf fits every choice of elements.
	hit, seen             []uint64 // leaves that are not inside: one met the test; there is one (tests with exists:false only)
	hitInside, seenInside []uint64 // the same for leaves inside
	rows                  []uint64 // the memory of the four
	noted                 bool     // one of their bits is set

	tape      tape     // the leaves inside, in the event's order
	nest      int      // objects and arrays around the current value
	elements  int      // how many of these are elements of arrays
	irregular bool     // a path was reached in two ways within one object (duplicate or dotted keys)
	objects   uint64   // objects read so far, over all values
	reached   []uint64 // by node: the last object from which it was reached
	text      []byte
	join      joiner
}

const rowCount = 4

// Match reports whether a record's value matches. A nil value is a tombstone and counts as JSON null. With a
// nil scratch it allocates its own.
//
// Time grows linearly with the value's length, and no value can make it panic.
func (s *Set) Match(scratch *Scratch, value []byte) Outcome {
	if len(s.branches) == 0 {
		return Matched
	}
	if scratch == nil {
		scratch = &Scratch{}
	}
	if value == nil {
		scratch.reset(s, nil)
		scratch.literal(s.root, litNull)
		return s.verdict(scratch, true, true)
	}
	if i := skipSpace(value, 0); i < len(value) && (value[i] == '{' || value[i] == '[') {
		scratch.reset(s, value)
		if s.json {
			i = scratch.value(i, s.root)
		} else {
			i = skip(value, i, 0)
		}
		if i >= 0 && skipSpace(value, i) == len(value) {
			return s.verdict(scratch, true, false)
		}
	}
	scratch.b = nil
	if !s.text || !utf8.Valid(value) {
		return WrongKind
	}
	scratch.reset(s, value)
	scratch.string(s.root, value)
	return s.verdict(scratch, false, true)
}

// reset prepares for one value.
func (m *Scratch) reset(s *Set, value []byte) {
	m.b = value
	if m.set != s {
		m.set = s
		m.rows = slices.Grow(m.rows[:0], rowCount*s.words)[:rowCount*s.words]
		m.reached = slices.Grow(m.reached[:0], len(s.spans))[:len(s.spans)]
		w := s.words
		row := func(i int) []uint64 { return m.rows[i*w : i*w+w] }
		m.hit, m.seen, m.hitInside, m.seenInside = row(0), row(1), row(2), row(3)
		m.noted = true // bits of another set
	}
	if m.noted {
		clear(m.rows)
		m.noted = false
	}
	m.tape = m.tape[:0]
	m.nest, m.elements = 0, 0
	m.irregular = false
}

// verdict decides from the leaves found. It considers only the branches that can read the value: as JSON, as
// text, or both for null.
func (s *Set) verdict(m *Scratch, json, text bool) Outcome {
	m.b = nil // do not keep the record alive
	out := WrongKind
	if s.json && json || s.text && text {
		out = NotMatched
	}
	if !m.noted && !s.absents {
		return out // the usual record: no test is met
	}
	first := m.hit[0] | m.hitInside[0] | s.absent[0]
	for i := range s.branches {
		b := &s.branches[i]
		if b.first&^first == 0 && (b.json && json || !b.json && text) && m.meets(b) {
			return Matched
		}
	}
	return out
}

// meets decides one branch. Leaves inside elements of arrays count together only if no two of them are in
// different elements of one array. The join checks that, but only if the result depends on it.
func (m *Scratch) meets(b *branch) bool {
	plain := true
	for w, mask := range b.mask {
		absent := m.set.absent[w]
		if mask&^(m.hit[w]|m.hitInside[w]|absent) != 0 {
			return false // no choice of elements meets this test
		}
		// The others that are not met regardless of which elements are chosen.
		plain = plain && mask&^m.hit[w]&^(absent&^(m.seen[w]|m.seenInside[w])) == 0
	}
	return plain || len(m.tape) > 0 && m.join.solve(m, b)
}

// string, number and literal try a leaf at node n.
func (m *Scratch) string(n *node, s []byte) {
	if n.absent {
		m.see(n)
	}
	if n.equalSizes&lengthBit(len(s)) != 0 {
		for i := range n.equalStrings {
			if e := &n.equalStrings[i]; e.value == string(s) {
				m.meet(e.test)
			}
		}
	}
	for _, id := range n.stringTests {
		if m.set.tests[id].string(s) {
			m.meet(id)
		}
	}
}

func (m *Scratch) number(n *node, d *decimal) {
	if n.absent {
		m.see(n)
	}
	if d != nil {
		for i := range n.equalNumbers {
			if e := &n.equalNumbers[i]; e.value.high == d.high && e.value.equal(d) {
				m.meet(e.test)
			}
		}
	}
	for _, id := range n.numberTests {
		if m.set.tests[id].number(d) {
			m.meet(id)
		}
	}
}

func (m *Scratch) literal(n *node, l literal) {
	if n.absent {
		m.see(n)
	}
	for _, id := range n.tests {
		if m.set.tests[id].literal(l) {
			m.meet(id)
		}
	}
}

// meet records that a leaf meets a test.
func (m *Scratch) meet(id int32) {
	m.noted = true
	if m.elements == 0 {
		m.hit[id>>6] |= 1 << (id & 63)
		return
	}
	m.hitInside[id>>6] |= 1 << (id & 63)
	m.tape = append(m.tape, token(tokenHit, id))
}

// see records a leaf for the tests at n with exists:false.
func (m *Scratch) see(n *node) {
	m.noted = true
	for _, id := range n.tests {
		bit := uint64(1) << (id & 63)
		switch {
		case m.set.absent[id>>6]&bit == 0:
		case m.elements == 0:
			m.seen[id>>6] |= bit
		default:
			m.seenInside[id>>6] |= bit
			m.tape = append(m.tape, token(tokenSeen, id))
		}
	}
}
