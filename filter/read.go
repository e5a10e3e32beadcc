package filter

import "slices"

// This file reads a value and tries its leaves on the way. Its methods take an index and return the one after
// what they read, or -1 for bytes that are not JSON.

// value reads the value at i, which belongs to node n, and returns the index after it, or -1.
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

// object reads an object; i is the index after its brace.
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

// key reads an object's key; i is the index after its quote. It returns the node that the key leads to from
// n, or nil. Wanted keys are compared before the key's end is known, so that the processor need not wait for
// it.
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

// array reads an array; i is the index after its bracket. Its elements belong to the array's own node,
// because arrays are not part of a path.
func (m *Scratch) array(i int, n *node) int {
	b := m.b
	i = skipSpace(b, i)
	if i < len(b) && b[i] == ']' {
		return i + 1
	}
	open := -1 // where the array is on the tape, once an element is an object or array
	last := -1 // where the last kept element is on the tape
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

// closeElement ends the tape's last element, whose tokens start at from. It removes the element again if it
// is empty or equal to the one before it (at last), which makes it only another choice of the same. It
// returns the position of the last element kept.
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
