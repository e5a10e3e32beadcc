package filter

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// node is one step of the wanted paths: the trie of their keys, split at the dots.
type node struct {
	id      int32
	tests   []int32 // those whose path ends here
	kids    []kid
	index   map[string]*node // when there are many kids
	lengths uint64           // bit min(len, 63) for each kid's key
	words   bool             // keys of less than eight bytes can be looked up by their word
	dotted  int              // an event's key longer than this may hold two wanted keys and a dot
	strings bool             // a test here looks at the contents of strings
	numbers bool             // … at the value of numbers
	absent  bool             // … has exists:false
}

// kid is a key that leads on.
type kid struct {
	key  string
	word uint64 // a key of less than eight bytes, the first byte lowest
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
			n.kids = append(n.kids, kid{key, word(key), next})
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

// short looks up a key of less than eight bytes.
func (n *node) short(w uint64, size int) *node {
	for i := range n.kids {
		if k := &n.kids[i]; k.word == w && len(k.key) == size {
			return k.node
		}
	}
	return nil
}

// word packs a key of less than eight bytes; longer ones have none.
func word(key string) uint64 {
	if len(key) >= 8 {
		return 0
	}
	var b [8]byte
	copy(b[:], key)
	return binary.LittleEndian.Uint64(b[:])
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
	n.words = n.index == nil && n.dotted >= 8
	for _, id := range n.tests {
		t := &tests[id]
		n.strings = n.strings || len(t.strings.list) > 0 || len(t.others) > 0
		n.numbers = n.numbers || len(t.numbers) > 0
		n.absent = n.absent || t.absent
		for i := range t.others {
			c := &t.others[i]
			n.numbers = n.numbers || c.op == opNumeric || c.op == opAnythingBut && len(c.but.numbers) > 0
		}
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
