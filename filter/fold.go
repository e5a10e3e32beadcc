package filter

import (
	"unicode"
	"unicode/utf8"
)

// Ignore-case operators use Unicode simple folding, as bytes.EqualFold does: one rune matches one rune, so
// "ß" does not match "SS".

// hasFoldPrefix reports whether s starts with prefix under simple folding.
func hasFoldPrefix(s, prefix []byte) bool {
	for len(prefix) > 0 {
		if len(s) == 0 {
			return false
		}
		a, n := utf8.DecodeRune(s)
		b, m := utf8.DecodeRune(prefix)
		if !sameFold(a, b) {
			return false
		}
		s, prefix = s[n:], prefix[m:]
	}
	return true
}

// hasFoldSuffix reports whether s ends with suffix under simple folding.
func hasFoldSuffix(s, suffix []byte) bool {
	for len(suffix) > 0 {
		if len(s) == 0 {
			return false
		}
		a, n := utf8.DecodeLastRune(s)
		b, m := utf8.DecodeLastRune(suffix)
		if !sameFold(a, b) {
			return false
		}
		s, suffix = s[:len(s)-n], suffix[:len(suffix)-m]
	}
	return true
}

func sameFold(a, b rune) bool {
	if a == b {
		return true
	}
	for r := unicode.SimpleFold(a); r != a; r = unicode.SimpleFold(r) {
		if r == b {
			return true
		}
	}
	return false
}
