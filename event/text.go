package event

import "unicode/utf8"

const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// plain reports whether s needs no escaping in JSON: it is ASCII without control characters, quotation marks and
// backslashes. It looks at eight bytes at a time, because it runs for each record's topic.
func plain(s string) bool {
	if len(s) < 8 {
		for i := range len(s) {
			if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
				return false
			}
		}
		return true
	}
	special := specialBytes(load64(s[len(s)-8:])) // the tail; the loop may overlap it
	for ; len(s) > 8; s = s[8:] {
		special |= specialBytes(load64(s))
	}
	return special&highBits == 0
}

func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// specialBytes has a high bit set if a byte of x needs escaping or is not ASCII. The exclusive or with 2 maps the
// quotation mark to a space and keeps the control characters below it, so that one comparison finds both. If none of
// x's high bits is set, each subtraction borrows only at a byte that it looks for, so there are no false positives.
func specialBytes(x uint64) uint64 {
	return ((x ^ 2*lowBits) - (' '+1)*lowBits) | ((x ^ '\\'*lowBits) - lowBits) | x
}

// quotedLen returns the length of s as a JSON string.
func quotedLen(s string) int {
	if plain(s) {
		return len(s) + 2
	}
	return escapedLen(s) + 2
}

func escapedLen(s string) int {
	n := 0
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			switch {
			case c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t' || c == '\b' || c == '\f':
				n += 2
			case c < ' ':
				n += 6
			default:
				n++
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		n += utf8.RuneLen(r) // the length of U+FFFD for a byte that is not UTF-8
		i += size
	}
	return n
}

// appendQuoted appends s as a JSON string. It escapes only what must be escaped. Each byte that is not UTF-8 becomes
// U+FFFD, as in encoding/json.
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	if plain(s) {
		dst = append(dst, s...)
	} else {
		dst = appendEscaped(dst, s)
	}
	return append(dst, '"')
}

func appendEscaped(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			dst = utf8.AppendRune(dst, r)
			i += size
			continue
		}
		i++
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c == '\b':
			dst = append(dst, '\\', 'b')
		case c == '\f':
			dst = append(dst, '\\', 'f')
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// byteLens holds, for each byte, the length of its signed value in decimal.
const byteLens = ten1 +
	ten2 + ten2 + ten2 + ten2 + ten2 + ten2 + ten2 + ten2 + ten2 + // 10 … 99
	ten3 + ten3 + "\x03\x03\x03\x03\x03\x03\x03\x03" + // 100 … 127
	ten4 + ten4 + "\x04\x04\x04\x04\x04\x04\x04\x04\x04" + // -128 … -100
	ten3 + ten3 + ten3 + ten3 + ten3 + ten3 + ten3 + ten3 + ten3 + // -99 … -10
	"\x02\x02\x02\x02\x02\x02\x02\x02\x02" // -9 … -1

const (
	ten1 = "\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"
	ten2 = "\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02"
	ten3 = "\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03"
	ten4 = "\x04\x04\x04\x04\x04\x04\x04\x04\x04\x04"
)

// signedBytesLen returns the length of b as a JSON array of signed numbers.
func signedBytesLen(b []byte) int {
	if len(b) == 0 {
		return len(`[]`)
	}
	n := len(b) + 1 // a comma or the closing bracket after each byte, and the opening bracket
	for _, c := range b {
		n += int(byteLens[c])
	}
	return n
}

// appendSignedBytes appends b in Lambda's form of header bytes: a JSON array of signed bytes, like Java's.
func appendSignedBytes(dst, b []byte) []byte {
	dst = append(dst, '[')
	for i, c := range b {
		if i > 0 {
			dst = append(dst, ',')
		}
		if c >= 0x80 {
			dst = append(dst, '-')
			c = -c
		}
		switch {
		case c >= 100:
			c -= 100
			dst = append(dst, '1', '0'+c/10, '0'+c%10)
		case c >= 10:
			dst = append(dst, '0'+c/10, '0'+c%10)
		default:
			dst = append(dst, '0'+c)
		}
	}
	return append(dst, ']')
}
