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
	index   map[string]*node // when there are many kids
	lengths uint64           // bit min(len, 63) for each kid's key
	dotted  int              // an event's key longer than this may hold two wanted keys and a dot
	strings bool             // a test here looks at the contents of strings
	numbers bool             // … at the value of numbers
}

// kid is a key that leads on.
type kid struct {
	key  string
	node *node
}

// insert adds a test under its path. Below root the path starts with the root's name,
// which is not in the trie.
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
		below := &(*spans)[n.id] // tests come sorted by path: those below a node are neighbours
		if below.high == 0 {
			below.low = test
		}
		below.high = test + 1
		next := n.find([]byte(key))
		if next == nil {
			next = &node{id: int32(len(*spans))}
			*spans = append(*spans, span{})
			n.kids = append(n.kids, kid{key, next})
		}
		n = next
		if !more {
			break
		}
		path = rest
	}
	n.tests = append(n.tests, test)
}

// find looks a key up by comparing.
func (n *node) find(key []byte) *node {
	for i := range n.kids {
		if n.kids[i].key == string(key) {
			return n.kids[i].node
		}
	}
	return nil
}

// seal precomputes what looking up needs, once the trie is whole.
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
		t := &tests[id]
		n.strings = n.strings || len(t.strings.list) > 0 || len(t.others) > 0
		n.numbers = n.numbers || len(t.numbers) > 0 || len(t.others) > 0
	}
}

func lengthBit(n int) uint64 { return 1 << min(uint(n), 63) }

// lookup finds where an event's key leads, nil for nowhere. A key with dots stands for
// several steps, for paths are compared joined by dots.
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
