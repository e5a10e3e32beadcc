package filter

import (
	"slices"
	"unicode/utf8"
)

// Scratch is the memory that matching works in. The zero value is ready; it grows to
// what the records need and is then used again, for any Set. One goroutine at a time.
type Scratch struct {
	set *Set
	b   []byte

	// Bits of tests. A leaf "inside" stands in an object or array that is an element of
	// an array; any other one suits every choice of elements.
	hit, seen             []uint64 // leaves that are not inside: one met the test; there is one (tests with exists:false only)
	hitInside, seenInside []uint64 // the same of leaves inside
	rows                  []uint64 // the memory of the four
	noted                 bool     // a bit of them is set

	tape      tape     // the leaves inside, in the event's order
	nest      int      // objects and arrays around the current value
	elements  int      // of these, how many are elements of arrays
	irregular bool     // a path was reached in two ways within one object (duplicate or dotted keys)
	objects   uint64   // objects read so far, over all values
	reached   []uint64 // by node: the last object from which it was reached
	text      []byte
	join      joiner
}

const rowCount = 4

// Match says whether a record's value matches. A nil value is a tombstone and counts as
// JSON null. With a nil scratch it makes its own, at the price of allocating.
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
		m.noted = true // of another set
	}
	if m.noted {
		clear(m.rows)
		m.noted = false
	}
	m.tape = m.tape[:0]
	m.nest, m.elements = 0, 0
	m.irregular = false
}

// verdict decides from the leaves found. Of the branches only those are asked that can
// read the value: as JSON, as text, or both for null.
func (s *Set) verdict(m *Scratch, json, text bool) Outcome {
	m.b = nil // keep no record alive
	out := WrongKind
	if s.json && json || s.text && text {
		out = NotMatched
	}
	if !m.noted && !s.absents {
		return out // the usual record: not one test is met
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

// meets decides one branch. Leaves inside elements of arrays count together only if no
// two of them stand in different elements of one array; the join sees to that, once it
// is clear that the answer hangs on it.
func (m *Scratch) meets(b *branch) bool {
	plain := true
	for w, mask := range b.mask {
		absent := m.set.absent[w]
		if mask&^(m.hit[w]|m.hitInside[w]|absent) != 0 {
			return false // a test is met by no choice of elements
		}
		// The others that are not met whatever elements are chosen.
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

// meet notes that a leaf meets a test.
func (m *Scratch) meet(id int32) {
	m.noted = true
	if m.elements == 0 {
		m.hit[id>>6] |= 1 << (id & 63)
		return
	}
	m.hitInside[id>>6] |= 1 << (id & 63)
	m.tape = append(m.tape, token(tokenHit, id))
}

// see notes a leaf for the tests at n that have exists:false.
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

// value reads the value at i, which stands at node n, and returns the index behind it,
// or -1.
func (m *Scratch) value(i int, n *node) int {
	b := m.b
	if i = skipSpace(b, i); i >= len(b) {
		return -1
	}
	switch c := b[i]; {
	case c == '"':
		end, escaped := scanString(b, i+1)
		if end < 0 || len(n.tests) == 0 {
			return end
		}
		s := b[i+1 : end-1]
		if escaped && n.contents {
			m.text = unescape(m.text[:0], s)
			s = m.text
		}
		m.string(n, s)
		return end
	case c == '-' || c-'0' <= 9:
		if !n.numbers {
			if i = scanNumber(b, i); i >= 0 && len(n.tests) > 0 {
				m.number(n, nil)
			}
			return i
		}
		var d decimal
		if i = scanDecimal(b, i, &d); i >= 0 {
			m.number(n, &d)
		}
		return i
	case c == '{' && len(n.kids) == 0:
		return skip(b, i, m.nest)
	case c == '{' || c == '[':
		if m.nest == MaxDepth {
			return -1
		}
		m.nest++
		if c == '{' {
			i = m.object(i+1, n)
		} else {
			i = m.array(i+1, n)
		}
		m.nest--
		return i
	}
	end, l := scanLiteral(b, i)
	if end >= 0 {
		m.literal(n, l)
	}
	return end
}

// object reads an object from behind its brace.
func (m *Scratch) object(i int, n *node) int {
	b := m.b
	if i = skipSpace(b, i); i < len(b) && b[i] == '}' {
		return i + 1
	}
	m.objects++
	object := m.objects
	for {
		if i = pass(b, i, '"'); i < 0 {
			return -1
		}
		end, to, dotted := m.key(i, n)
		if end < 0 {
			return -1
		}
		if i = pass(b, end, ':'); i < 0 {
			return -1
		}
		if to == nil {
			i = skip(b, i, m.nest)
		} else {
			if dotted || m.reached[to.id] == object {
				m.irregular = true
			}
			m.reached[to.id] = object
			i = m.value(i, to)
		}
		if i < 0 {
			return -1
		}
		if i = skipSpace(b, i); i >= len(b) {
			return -1
		}
		if b[i] == '}' {
			return i + 1
		}
		if b[i] != ',' {
			return -1
		}
		i++
	}
}

// key reads an object's key from behind its quote and finds where it leads from n, nil for nowhere. Keys that are wanted
// are compared before it is known where the key ends: so the processor need not wait for that to go on.
func (m *Scratch) key(i int, n *node) (end int, to *node, dotted bool) {
	b := m.b
	w := load8(b, i)
	if n.index == nil {
		for k := range n.kids {
			if kid := &n.kids[k]; w&kid.mask == kid.word && (len(kid.key) < 8 || kid.stands(b, i)) {
				return i + len(kid.key) + 1, kid.node, false
			}
		}
		if size, ok := plainSize(w); ok && size <= n.dotted {
			return i + size + 1, nil, false
		}
	}
	end, escaped := scanString(b, i)
	if end < 0 {
		return -1, nil, false
	}
	key := b[i : end-1]
	if escaped {
		m.text = unescape(m.text[:0], key)
		key = m.text
	} else if n.index == nil && len(key) <= n.dotted {
		return end, nil, false
	}
	to, dotted = n.lookup(key)
	return end, to, dotted
}

// array reads an array from behind its bracket. Its elements stand at the array's own
// node: arrays are no part of a path.
func (m *Scratch) array(i int, n *node) int {
	b := m.b
	i = skipSpace(b, i)
	if i < len(b) && b[i] == ']' {
		return i + 1
	}
	open := -1 // where the tape has this array, once an element is an object or array
	last := -1 // where it has the last element kept
	for {
		if i >= len(b) {
			return -1
		}
		if c := b[i]; c == '[' || c == '{' && len(n.kids) > 0 {
			if open < 0 {
				open = len(m.tape)
				m.tape = append(m.tape, token(tokenArray, n.id))
			}
			from := len(m.tape)
			m.tape = append(m.tape, token(tokenElement, 0))
			m.elements++
			i = m.value(i, n)
			m.elements--
			last = m.closeElement(from, last)
		} else {
			i = m.value(i, n)
		}
		if i < 0 {
			return -1
		}
		if i = skipSpace(b, i); i >= len(b) {
			return -1
		}
		if b[i] == ']' {
			break
		}
		if b[i] != ',' {
			return -1
		}
		i = skipSpace(b, i+1)
	}
	switch {
	case open < 0:
	case open+1 == len(m.tape):
		m.tape = m.tape[:open]
	default:
		m.tape = append(m.tape, token(tokenEnd, 0))
	}
	return i + 1
}

// closeElement ends the tape's last element, whose tokens begin at from. It takes it off again
// when it says nothing, or just what the element before it says (at last), which makes
// it one choice more of the same. It returns the place of the last element kept.
func (m *Scratch) closeElement(from, last int) int {
	if from+1 == len(m.tape) {
		m.tape = m.tape[:from]
		return last
	}
	m.tape = append(m.tape, token(tokenEnd, 0))
	if last >= 0 && slices.Equal(m.tape[last:from], m.tape[from:]) {
		m.tape = m.tape[:from]
		return last
	}
	return from
}
