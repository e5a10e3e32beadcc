package filter

import (
	"bytes"
	"strings"
)

// node is one step of the wanted paths: the trie of their keys, split at the dots.
type node struct {
	id      int32
	tests   []int32 // those whose path ends here
	kids    []kid
	index   map[string]*node // if there are many kids
	lengths uint64           // lengthBit of each kid's key
	dotted  int              // an event's key longer than this may hold two wanted keys and a dot

	// What the tests here require of a leaf, so that most leaves need not be given to each test.
	equalStrings []equalTo[string] // of tests that require nothing else of a string
	equalSizes   uint64            // lengthBit of each of them
	equalNumbers []equalTo[decimal]
	stringTests  []int32 // the tests that require more of a string
	numberTests  []int32 // … of a number
	contents     bool    // some test looks at the contents of strings
	numbers      bool    // … at the value of numbers
	absent       bool    // … has exists:false
}

// equalTo is a value that meets a test.
type equalTo[T any] struct {
	value T
	test  int32
}

// kid is a key that leads to another node. If an object has the key, spelled without escapes, the eight bytes
// after the opening quote equal word under mask: the key's first bytes, and the closing quote if the key is
// short.
type kid struct {
	key        string
	word, mask uint64
	node       *node
}

func newKid(key string, n *node) kid {
	quoted := key + `"`
	k := kid{key: key, word: load8([]byte(quoted), 0), mask: 1<<(8*len(quoted)) - 1, node: n}
	if end, escaped := scanString([]byte(quoted), 0); end != len(quoted) || escaped {
		k.word, k.mask = 1, 0 // it cannot be spelled without escapes
	}
	return k
}

// stands reports whether b has the key and its closing quote at i.
func (k *kid) stands(b []byte, i int) bool {
	end := i + len(k.key)
	return end < len(b) && b[end] == '"' && string(b[i:end]) == k.key
}

// insert adds a test under its path. Below root the path starts with the root's name, which is not in the
// trie.
func (n *node) insert(path, root string, test int32, spans *[]span) {
	if root != "" {
		if path == root {
			n.tests = append(n.tests, test)
			return
		}
		path = path[len(root)+1:]
	}
	for {
		key, rest, more := strings.Cut(path, ".")
		below := &(*spans)[n.id] // tests come sorted by path: those below a node are adjacent
		if below.high == 0 {
			below.low = test
		}
		below.high = test + 1
		next := n.find([]byte(key))
		if next == nil {
			next = &node{id: int32(len(*spans))}
			*spans = append(*spans, span{})
			n.kids = append(n.kids, newKid(key, next))
		}
		n = next
		if !more {
			break
		}
		path = rest
	}
	n.tests = append(n.tests, test)
}

// find looks up a key by comparing.
func (n *node) find(key []byte) *node {
	for i := range n.kids {
		if n.kids[i].key == string(key) {
			return n.kids[i].node
		}
	}
	return nil
}

// seal precomputes what lookups need, once the trie is complete.
func (n *node) seal(tests []test) {
	const never = int(^uint(0) >> 1)
	n.dotted = never
	for _, k := range n.kids {
		n.lengths |= lengthBit(len(k.key))
		if len(k.node.kids) > 0 {
			n.dotted = min(n.dotted, len(k.key))
		}
		k.node.seal(tests)
	}
	if len(n.kids) >= indexFrom {
		n.index = make(map[string]*node, len(n.kids))
		for _, k := range n.kids {
			n.index[k.key] = k.node
		}
	}
	for _, id := range n.tests {
		n.ask(id, &tests[id])
	}
}

// ask classifies a test by what it requires of a leaf.
func (n *node) ask(id int32, t *test) {
	n.contents = n.contents || len(t.strings.list) > 0 || len(t.others) > 0
	n.numbers = n.numbers || len(t.numbers) > 0
	n.absent = n.absent || t.absent
	for i := range t.others {
		c := &t.others[i]
		n.numbers = n.numbers || c.op == opNumeric || c.op == opAnythingBut && len(c.but.numbers) > 0
	}
	more := t.present || len(t.others) > 0
	if more || t.strings.index != nil {
		n.stringTests = append(n.stringTests, id)
	} else {
		for _, value := range t.strings.list {
			n.equalStrings = append(n.equalStrings, equalTo[string]{string(value), id})
			n.equalSizes |= lengthBit(len(value))
		}
	}
	if more {
		n.numberTests = append(n.numberTests, id)
	} else {
		for _, value := range t.numbers {
			n.equalNumbers = append(n.equalNumbers, equalTo[decimal]{value, id})
		}
	}
}

// lengthBit represents a length in a set of lengths; all from 63 on share one bit.
func lengthBit(n int) uint64 { return 1 << min(uint(n), 63) }

// lookup returns the node that an event's key leads to, or nil. A key with dots counts as several steps,
// because paths are compared joined by dots.
func (n *node) lookup(key []byte) (to *node, dotted bool) {
	if n.lengths&lengthBit(len(key)) != 0 {
		if n.index != nil {
			to = n.index[string(key)]
		} else {
			to = n.find(key)
		}
		if to != nil {
			return to, false
		}
	}
	if len(key) > n.dotted {
		return n.walk(key), true
	}
	return nil, false
}

// walk follows a key with dots.
func (n *node) walk(key []byte) *node {
	at := bytes.IndexByte(key, '.')
	if at < 0 {
		return nil
	}
	for n != nil && at >= 0 {
		n = n.find(key[:at])
		key = key[at+1:]
		at = bytes.IndexByte(key, '.')
	}
	if n == nil {
		return nil
	}
	return n.find(key)
}
