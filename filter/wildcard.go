package filter

import "bytes"

// wildcard is a compiled wildcard operand: the literal parts between its stars. The first part is anchored at
// the start and the last one at the end. Each part in between may take the first place that fits, so matching
// needs no backtracking.
type wildcard struct {
	parts [][]byte
}

// parseWildcard compiles the operand. A backslash escapes a star or a backslash.
func parseWildcard(s string) (wildcard, string) {
	var w wildcard
	part := []byte{}
	star := false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '*':
			if star {
				return w, "two stars follow each other; one star already stands for any text"
			}
			star = true
			w.parts = append(w.parts, part)
			part = []byte{}
			continue
		case '\\':
			i++
			if i == len(s) || s[i] != '*' && s[i] != '\\' {
				return w, `a backslash in a wildcard must stand before "*" or "\"`
			}
		}
		star = false
		part = append(part, s[i])
	}
	w.parts = append(w.parts, part)
	return w, ""
}

func (w *wildcard) match(s []byte) bool {
	first, last := w.parts[0], w.parts[len(w.parts)-1]
	if len(w.parts) == 1 {
		return bytes.Equal(s, first)
	}
	if len(s) < len(first)+len(last) || !bytes.HasPrefix(s, first) || !bytes.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, part := range w.parts[1 : len(w.parts)-1] {
		i := bytes.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return true
}
