package filter

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// The scanner accepts JSON exactly as RFC 8259 defines it. Its functions take an index and return the one
// after what they read, or -1 for bytes that are not JSON.

const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// stringStops sets the high bit of each byte of w that ends a plain run inside a JSON string: a quote, a
// backslash or a control byte. Only the lowest mark is exact: a borrow may set marks above it.
func stringStops(w uint64) uint64 {
	quote := (w ^ lowBits*'"') - lowBits
	slash := (w ^ lowBits*'\\') - lowBits
	control := w - lowBits*0x20
	return (quote | slash | control) &^ w & highBits
}

// load8 returns the eight bytes of b from i on, the first one lowest. Bytes after the end of b are zero,
// which occurs in no string and no number.
func load8(b []byte, i int) uint64 {
	if i+8 <= len(b) {
		return binary.LittleEndian.Uint64(b[i:])
	}
	return load8Tail(b, i)
}

func load8Tail(b []byte, i int) uint64 {
	if len(b) >= 8 {
		return binary.LittleEndian.Uint64(b[len(b)-8:]) >> ((i + 8 - len(b)) * 8)
	}
	var w uint64
	for k := len(b) - 1; k >= i; k-- {
		w = w<<8 | uint64(b[k])
	}
	return w
}

// plainSize returns the size of the string that starts with w, if it ends within w, is ASCII and has no
// escapes.
func plainSize(w uint64) (size int, ok bool) {
	bit := bits.TrailingZeros64(stringStops(w)) &^ 7
	return bit >> 3, bit < 64 && byte(w>>bit) == '"' && w&(1<<bit-1)&highBits == 0
}

// scanString reads a string from the byte after its opening quote and returns the index after the closing
// one. The contents are b[i:end-1]; escaped reports whether they hold a backslash.
func scanString(b []byte, i int) (end int, escaped bool) {
	start := i
	var seen uint64 // all bytes passed, ORed, to detect any that are not ASCII
	for {
		w := load8(b, i)
		stops := stringStops(w)
		if stops == 0 {
			seen |= w
			i += 8
			if i-start == longString {
				i, seen = plainBlocks(b, i, seen)
			}
			continue
		}
		first := bits.TrailingZeros64(stops) &^ 7
		seen |= w & (1<<first - 1)
		i += first >> 3
		if i >= len(b) {
			return -1, false
		}
		switch b[i] {
		case '"':
			if seen&highBits != 0 && !utf8.Valid(b[start:i]) {
				return -1, false
			}
			return i + 1, escaped
		case '\\':
			escaped = true
			if i = scanEscape(b, i+1); i < 0 {
				return -1, false
			}
		default: // a control byte
			return -1, false
		}
	}
}

// longString is the length from which blocks are tried.
const longString = 64

// plainBlocks skips bytes that do not end a run, four words at a time, and ORs them into seen.
func plainBlocks(b []byte, i int, seen uint64) (int, uint64) {
	for ; i+32 <= len(b); i += 32 {
		block := b[i : i+32 : i+32]
		w0, w1 := binary.LittleEndian.Uint64(block), binary.LittleEndian.Uint64(block[8:])
		w2, w3 := binary.LittleEndian.Uint64(block[16:]), binary.LittleEndian.Uint64(block[24:])
		if stringStops(w0)|stringStops(w1)|stringStops(w2)|stringStops(w3) != 0 {
			break
		}
		seen |= w0 | w1 | w2 | w3
	}
	return i, seen
}

// scanEscape reads what follows a backslash.
func scanEscape(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		if i+5 > len(b) {
			return -1
		}
		for _, c := range b[i+1 : i+5] {
			if unhex(c) < 0 {
				return -1
			}
		}
		return i + 5
	}
	return -1
}

// scanNumber reads a number from its first byte, '-' or a digit.
func scanNumber(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	from := i
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	if i == from || b[from] == '0' && i > from+1 {
		return -1
	}
	if i >= len(b) {
		return i
	}
	if b[i] == '.' {
		if i = scanDigits(b, i+1); i < 0 {
			return -1
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		return scanDigits(b, i)
	}
	return i
}

// scanDigits reads one or more digits.
func scanDigits(b []byte, i int) int {
	from := i
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	if i == from {
		return -1
	}
	return i
}

// literal is null, true or false.
type literal uint8

const (
	litNull literal = 1 << iota
	litTrue
	litFalse
)

// scanLiteral reads true, false or null from its first byte.
func scanLiteral(b []byte, i int) (int, literal) {
	rest := b[i:]
	switch {
	case len(rest) >= 4 && string(rest[:4]) == "null":
		return i + 4, litNull
	case len(rest) >= 4 && string(rest[:4]) == "true":
		return i + 4, litTrue
	case len(rest) >= 5 && string(rest[:5]) == "false":
		return i + 5, litFalse
	}
	return -1, 0
}

// skipSpace is small enough to be inlined; compact JSON never gets past its first line.
func skipSpace(b []byte, i int) int {
	if i < len(b) && b[i] > ' ' {
		return i
	}
	return skipSpaces(b, i)
}

func skipSpaces(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// pass reads one required byte and any white space before it, and returns the index after it, or -1.
func pass(b []byte, i int, c byte) int {
	if i < len(b) && b[i] == c {
		return i + 1
	}
	if i = skipSpaces(b, i); i < len(b) && b[i] == c {
		return i + 1
	}
	return -1
}

// skip reads one whole value that no pattern names. nest is the number of objects and arrays around it. The
// bits of one word record up to 64 levels (1 = object).
func skip(b []byte, i, nest int) int {
	var stack uint64
	level := 0
value:
	if i = skipSpace(b, i); i >= len(b) {
		return -1
	}
	switch c := b[i]; {
	case c == '"':
		if i, _ = scanString(b, i+1); i < 0 {
			return -1
		}
	case c-'0' <= 9 || c == '-':
		if i = scanNumber(b, i); i < 0 {
			return -1
		}
	case c == '{' || c == '[':
		if level == 64 {
			if i = skip(b, i, nest+level); i < 0 {
				return -1
			}
			goto after
		}
		if nest+level >= MaxDepth {
			return -1
		}
		i = skipSpace(b, i+1)
		if i < len(b) && b[i] == c+2 { // '}' and ']' are two after their openers
			i++
			goto after
		}
		level++
		stack <<= 1
		if c == '[' {
			goto value
		}
		stack |= 1
		goto key
	default:
		if i, _ = scanLiteral(b, i); i < 0 {
			return -1
		}
	}
after:
	if level == 0 {
		return i
	}
	if i = skipSpace(b, i); i >= len(b) {
		return -1
	}
	if b[i] == ',' {
		i++
		if stack&1 == 0 {
			goto value
		}
		i = skipSpace(b, i)
		goto key
	}
	if b[i] != ']'+byte(stack&1)*2*16 { // ']' is 0x5d, '}' is 0x7d
		return -1
	}
	i++
	stack >>= 1
	level--
	goto after
key:
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	if i, _ = scanString(b, i+1); i < 0 {
		return -1
	}
	if i = skipSpace(b, i); i >= len(b) || b[i] != ':' {
		return -1
	}
	i++
	goto value
}

// unescape appends the contents of a valid JSON string to dst, decoded. As in encoding/json, a lone surrogate
// becomes U+FFFD.
func unescape(dst, s []byte) []byte {
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			dst = append(dst, s[i])
			i++
			continue
		}
		c := s[i+1]
		i += 2
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r := hex4(s[i:])
			i += 4
			if r>>10 == 0xd800>>10 && i+6 <= len(s) && s[i] == '\\' && s[i+1] == 'u' {
				if low := hex4(s[i+2:]); low>>10 == 0xdc00>>10 {
					r = 0x10000 + (r&0x3ff)<<10 + low&0x3ff
					i += 6
				}
			}
			dst = utf8.AppendRune(dst, r) // writes U+FFFD for a lone surrogate
			continue
		}
		dst = append(dst, c)
	}
	return dst
}

func hex4(s []byte) rune {
	return rune(unhex(s[0])<<12 | unhex(s[1])<<8 | unhex(s[2])<<4 | unhex(s[3]))
}
