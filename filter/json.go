package filter

// kind is the kind of a JSON value in a pattern.
type kind byte

const (
	kindObject kind = iota
	kindArray
	kindString
	kindNumber
	kindLiteral
)

// tree is a parsed pattern that keeps what decoding would lose: the order of keys, duplicates, the spelling
// of numbers and the position of every value.
type tree struct {
	kind kind
	lit  literal
	off  int    // byte offset in the pattern
	end  int    // offset after the value; not set for objects
	str  []byte // a string's decoded text, or a number's spelling
	keys []treeKey
	kids []tree // elements, or values in the order of keys
}

type treeKey struct {
	name string
	off  int
}

// treeReader parses a pattern, or a value to be explained.
type treeReader struct {
	b     []byte
	i     int
	depth int // how deep objects and arrays may nest
}

// parseTree parses the whole pattern.
func parseTree(pattern string) (tree, *PatternError) {
	r := treeReader{b: []byte(pattern), depth: MaxPatternDepth}
	t, err := r.value(0)
	if err != nil {
		return t, err
	}
	if r.space(); r.i < len(r.b) {
		return t, refuse(r.i, "text follows the pattern's end; a pattern is one JSON object")
	}
	return t, nil
}

func (r *treeReader) space() { r.i = skipSpaces(r.b, r.i) }

// next skips white space and returns the byte that follows, 0 at the end.
func (r *treeReader) next() byte {
	if r.space(); r.i < len(r.b) {
		return r.b[r.i]
	}
	return 0
}

func (r *treeReader) value(depth int) (tree, *PatternError) {
	t := tree{}
	c := r.next()
	t.off = r.i
	switch {
	case c == '{' || c == '[':
		if depth == r.depth {
			return t, refuse(r.i, "the pattern is nested deeper than %d levels", r.depth)
		}
		r.i++
		if c == '{' {
			return r.object(t, depth+1)
		}
		return r.array(t, depth+1)
	case c == '"':
		t.kind = kindString
		s, err := r.string()
		t.str, t.end = s, r.i
		return t, err
	case c == '-' || c >= '0' && c <= '9':
		t.kind = kindNumber
		end := scanNumber(r.b, r.i)
		if end < 0 {
			return t, refuse(r.i, "not a JSON number")
		}
		t.str = r.b[r.i:end]
		r.i, t.end = end, end
		return t, nil
	case c == 0 && r.i >= len(r.b):
		return t, refuse(r.i, "the pattern ends where a value should stand")
	}
	t.kind = kindLiteral
	end, lit := scanLiteral(r.b, r.i)
	if end < 0 {
		return t, refuse(r.i, "not JSON: expected a value, found %q", c)
	}
	t.lit = lit
	r.i, t.end = end, end
	return t, nil
}

func (r *treeReader) string() ([]byte, *PatternError) {
	end, escaped := scanString(r.b, r.i+1)
	if end < 0 {
		return nil, refuse(r.i, "not JSON: this string is not closed, or holds a bad escape, a control character or bytes that are not UTF-8")
	}
	s := r.b[r.i+1 : end-1]
	if escaped {
		s = unescape(nil, s)
	}
	r.i = end
	return s, nil
}

func (r *treeReader) object(t tree, depth int) (tree, *PatternError) {
	t.kind = kindObject
	if r.next() == '}' {
		r.i++
		return t, nil
	}
	for {
		if r.next() != '"' {
			return t, refuse(r.i, "not JSON: expected a key in double quotes")
		}
		off := r.i
		key, err := r.string()
		if err != nil {
			return t, err
		}
		if r.next() != ':' {
			return t, refuse(r.i, "not JSON: expected a colon behind the key %q", key)
		}
		r.i++
		v, err := r.value(depth)
		if err != nil {
			return t, err
		}
		t.keys = append(t.keys, treeKey{name: string(key), off: off})
		t.kids = append(t.kids, v)
		if done, err := r.more('}'); done || err != nil {
			return t, err
		}
	}
}

func (r *treeReader) array(t tree, depth int) (tree, *PatternError) {
	t.kind = kindArray
	if r.next() == ']' {
		r.i++
		return t, nil
	}
	for {
		v, err := r.value(depth)
		if err != nil {
			return t, err
		}
		t.kids = append(t.kids, v)
		if done, err := r.more(']'); done || err != nil {
			t.end = r.i
			return t, err
		}
	}
}

// more reads the comma before another member, or the closing byte.
func (r *treeReader) more(closing byte) (done bool, err *PatternError) {
	switch r.next() {
	case ',':
		r.i++
		return false, nil
	case closing:
		r.i++
		return true, nil
	}
	return false, refuse(r.i, "not JSON: expected a comma or %q", closing)
}
