package filter

import (
	"bytes"
	"net/netip"
)

// test is what one pattern requires of one field: the array of conditions, of which a leaf must meet one.
// Values to be equal to are kept separately, since they are the usual case.
type test struct {
	strings  stringSet
	numbers  []decimal
	literals literal     // the literals to be equal to
	present  bool        // exists: true
	absent   bool        // exists: false
	others   []condition // every other operator
	source   string      // the array's text in the pattern
}

// stringSet holds operand strings, with an index when there are many.
type stringSet struct {
	list  [][]byte
	index map[string]struct{}
}

const indexFrom = 9 // shorter lists are compared one by one

func (s *stringSet) add(v []byte) { s.list = append(s.list, v) }

// seal builds the index if the list is long enough for it to pay.
func (s *stringSet) seal() {
	if len(s.list) < indexFrom {
		return
	}
	s.index = make(map[string]struct{}, len(s.list))
	for _, v := range s.list {
		s.index[string(v)] = struct{}{}
	}
}

func (s *stringSet) has(v []byte) bool {
	if s.index != nil {
		_, ok := s.index[string(v)]
		return ok
	}
	for _, e := range s.list {
		if string(e) == string(v) {
			return true
		}
	}
	return false
}

// operator is a condition's operator.
type operator byte

const (
	opPrefix operator = iota
	opSuffix
	opPrefixFold
	opSuffixFold
	opEqualFold
	opWildcard
	opCIDR
	opNumeric
	opAnythingBut
)

// condition is one operator with its operand.
type condition struct {
	op   operator
	str  []byte // prefix, suffix and the ignore-case operators
	wild wildcard
	net  netip.Prefix
	num  numericRange
	but  *anythingBut
}

// numericRange holds the bounds of a numeric condition; = is both bounds, closed.
type numericRange struct {
	low, high             decimal
	hasLow, hasHigh       bool
	lowClosed, highClosed bool
}

func (r *numericRange) contains(d *decimal) bool {
	if r.hasLow {
		if c := d.compare(&r.low); c < 0 || c == 0 && !r.lowClosed {
			return false
		}
	}
	if r.hasHigh {
		if c := d.compare(&r.high); c > 0 || c == 0 && !r.highClosed {
			return false
		}
	}
	return true
}

// anythingBut lists what a leaf must not be. A leaf of any other kind passes.
type anythingBut struct {
	strings stringSet
	numbers []decimal
	nested  []condition
}

func (t *test) string(s []byte) bool {
	if t.present || len(t.strings.list) > 0 && t.strings.has(s) {
		return true
	}
	for i := range t.others {
		if t.others[i].string(s) {
			return true
		}
	}
	return false
}

// number reports whether a number meets the test. d is nil if no test of the node looks at the value.
func (t *test) number(d *decimal) bool {
	if t.present || hasNumber(t.numbers, d) {
		return true
	}
	for i := range t.others {
		switch c := &t.others[i]; c.op {
		case opNumeric:
			if c.num.contains(d) {
				return true
			}
		case opAnythingBut:
			if !hasNumber(c.but.numbers, d) {
				return true
			}
		}
	}
	return false
}

func (t *test) literal(l literal) bool {
	if t.present || t.literals&l != 0 {
		return true
	}
	for i := range t.others {
		if t.others[i].op == opAnythingBut {
			return true
		}
	}
	return false
}

func hasNumber(list []decimal, d *decimal) bool {
	for i := range list {
		if list[i].equal(d) {
			return true
		}
	}
	return false
}

// string reports whether a string leaf meets the condition.
func (c *condition) string(s []byte) bool {
	switch c.op {
	case opPrefix:
		return bytes.HasPrefix(s, c.str)
	case opSuffix:
		return bytes.HasSuffix(s, c.str)
	case opPrefixFold:
		return hasFoldPrefix(s, c.str)
	case opSuffixFold:
		return hasFoldSuffix(s, c.str)
	case opEqualFold:
		return bytes.EqualFold(s, c.str)
	case opWildcard:
		return c.wild.match(s)
	case opCIDR:
		ip, ok := parseIP(s)
		return ok && c.net.Contains(ip)
	case opAnythingBut:
		if c.but.strings.has(s) {
			return false
		}
		for i := range c.but.nested {
			if c.but.nested[i].string(s) {
				return false
			}
		}
		return true
	}
	return false // numeric
}
