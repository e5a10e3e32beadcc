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
	hit, seen             []uint64 // leaves that are not inside: met the test; there was one
	hitInside, seenInside []uint64 // leaves inside
	rows                  []uint64 // the memory of the four

	tape      tape     // the leaves inside, in the event's order
	nest      int      // objects and arrays around the current value
	elements  int      // of these, how many are elements of arrays
	irregular bool     // a path was reached in two ways within one object (duplicate or dotted keys)
	objects   uint64   // objects read so far, over all values
	reached   []uint64 // by node: the last object from which it was reached
	text      []byte
	join      joiner
}

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
		if cap(m.rows) < 4*s.words {
			m.rows = make([]uint64, 4*s.words)
		}
		m.rows = m.rows[:4*s.words]
		m.reached = slices.Grow(m.reached[:0], len(s.spans))[:len(s.spans)]
		w := s.words
		m.hit, m.seen, m.hitInside, m.seenInside = m.rows[:w], m.rows[w:2*w], m.rows[2*w:3*w], m.rows[3*w:]
	}
	clear(m.rows)
	m.tape = m.tape[:0]
	m.nest, m.elements = 0, 0
	m.irregular = false
}

// verdict decides from the leaves found. Of the branches only those are asked that can
// read the value: as JSON, as text, or both for null.
func (s *Set) verdict(m *Scratch, json, text bool) Outcome {
	m.b = nil // keep no record alive
	out := WrongKind
	for i := range s.branches {
		b := &s.branches[i]
		if b.json && json || !b.json && text {
			if m.meets(b) {
				return Matched
			}
			out = NotMatched
		}
	}
	return out
}

// meets decides one branch. Leaves inside elements of arrays count together only if no
// two of them stand in different elements of one array; the cases in which that cannot
// matter are decided here.
func (m *Scratch) meets(b *branch) bool {
	plain := true // met by leaves that suit every choice, and by absence of any leaf
	for w, mask := range b.mask {
		absent := m.set.absent[w]
		if mask&^(m.hit[w]|m.hitInside[w]|absent) != 0 {
			return false
		}
		plain = plain && mask&^(m.hit[w]|absent&^(m.seen[w]|m.seenInside[w])) == 0
	}
	if plain {
		return true
	}
	if len(m.tape) == 0 {
		return false
	}
	return m.join.solve(m, b)
}

// mark notes what a leaf at the path of a test means for it.
func (m *Scratch) mark(id int32, met bool) {
	w, bit := id>>6, uint64(1)<<(id&63)
	if m.elements == 0 {
		m.seen[w] |= bit
		if met {
			m.hit[w] |= bit
		}
		return
	}
	m.seenInside[w] |= bit
	if m.set.absent[w]&bit != 0 {
		m.tape = append(m.tape, token(tokenSeen, id))
	}
	if met {
		m.hitInside[w] |= bit
		m.tape = append(m.tape, token(tokenHit, id))
	}
}

func (m *Scratch) string(n *node, s []byte) {
	for _, id := range n.tests {
		m.mark(id, m.set.tests[id].string(s))
	}
}

func (m *Scratch) literal(n *node, l literal) {
	for _, id := range n.tests {
		m.mark(id, m.set.tests[id].literal(l))
	}
}

func (m *Scratch) number(n *node, s []byte) {
	var d decimal
	if n.numbers {
		d = parseDecimal(s)
	}
	for _, id := range n.tests {
		m.mark(id, m.set.tests[id].number(&d))
	}
}

// value reads the value at i, which stands at node n, and returns the index behind it,
// or -1.
func (m *Scratch) value(i int, n *node) int {
	b := m.b
	if i >= len(b) {
		return -1
	}
	c := b[i]
	if c == '{' || c == '[' {
		if c == '{' && len(n.kids) == 0 {
			return skip(b, i, m.nest)
		}
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
	return m.leaf(i, n)
}

// leaf reads a string, number or literal.
func (m *Scratch) leaf(i int, n *node) int {
	b := m.b
	switch c := b[i]; {
	case c == '"':
		end, escaped := scanString(b, i+1)
		if end < 0 || len(n.tests) == 0 {
			return end
		}
		s := b[i+1 : end-1]
		if escaped && n.strings {
			m.text = unescape(m.text[:0], s)
			s = m.text
		}
		m.string(n, s)
		return end
	case c == '-' || c-'0' <= 9:
		end := scanNumber(b, i)
		if end >= 0 && len(n.tests) > 0 {
			m.number(n, b[i:end])
		}
		return end
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
	i = skipSpace(b, i)
	if i < len(b) && b[i] == '}' {
		return i + 1
	}
	m.objects++
	object := m.objects
	for {
		if i >= len(b) || b[i] != '"' {
			return -1
		}
		end, escaped := scanString(b, i+1)
		if end < 0 {
			return -1
		}
		key := b[i+1 : end-1]
		if i = skipSpace(b, end); i >= len(b) || b[i] != ':' {
			return -1
		}
		i = skipSpace(b, i+1)
		if escaped {
			m.text = unescape(m.text[:0], key)
			key = m.text
		}
		if to, dotted := n.lookup(key); to == nil {
			i = skip(b, i, m.nest)
		} else {
			m.irregular = m.irregular || dotted || m.reached[to.id] == object
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
		i = skipSpace(b, i+1)
	}
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

// closeElement ends the element that the tape has from from on. It takes it off again
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
