package event

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a skipped value, as encoding/json does.
const maxDepth = 10000

// A parser reads JSON from left to right. Its methods move pos past what they read and return a *DecodeError if the
// input is wrong.
type parser struct {
	data  []byte
	pos   int
	topic string // of the previous record
}

func (p *parser) errAt(pos int, reason string) *DecodeError {
	return &DecodeError{Offset: pos, Reason: reason}
}

// unexpected returns an error that names what is at pos instead of what was wanted.
func (p *parser) unexpected(wanted string) *DecodeError {
	if p.pos >= len(p.data) {
		return p.errAt(p.pos, "the input ends here, want "+wanted)
	}
	r, _ := utf8.DecodeRune(p.data[p.pos:])
	return p.errAt(p.pos, "found "+strconv.QuoteRune(r)+", want "+wanted)
}

// document reads the whole input with read, unless it is null.
func (p *parser) document(read func() *DecodeError) (null bool, err *DecodeError) {
	p.space()
	if null = p.null(); !null {
		if err = read(); err != nil {
			return false, err
		}
	}
	p.space()
	if p.pos < len(p.data) {
		return false, p.unexpected("the end of the input")
	}
	return null, nil
}

func (p *parser) space() {
	for p.pos < len(p.data) {
		switch p.data[p.pos] {
		case ' ', '\t', '\r', '\n':
			p.pos++
		default:
			return
		}
	}
}

// peek returns the byte at pos, or 0 at the end.
func (p *parser) peek() byte {
	if p.pos < len(p.data) {
		return p.data[p.pos]
	}
	return 0
}

func (p *parser) accept(c byte) bool {
	if p.peek() == c {
		p.pos++
		return true
	}
	return false
}

func (p *parser) literal(word string) bool {
	rest := p.data[p.pos:]
	if len(rest) >= len(word) && string(rest[:len(word)]) == word {
		p.pos += len(word)
		return true
	}
	return false
}

func (p *parser) null() bool { return p.literal("null") }

// object reads an object. It calls member to read the value of each name. The name is valid until member returns.
func (p *parser) object(member func(name []byte) *DecodeError) *DecodeError {
	if !p.accept('{') {
		return p.unexpected("an object")
	}
	p.space()
	if p.accept('}') {
		return nil
	}
	for {
		p.space()
		name, err := p.raw("a name in quotes")
		if err != nil {
			return err
		}
		p.space()
		if !p.accept(':') {
			return p.unexpected("a colon")
		}
		p.space()
		if err := member(name); err != nil {
			return err
		}
		p.space()
		if p.accept('}') {
			return nil
		}
		if !p.accept(',') {
			return p.unexpected("a comma or }")
		}
	}
}

// array reads an array. It calls element to read each element.
func (p *parser) array(element func(i int) *DecodeError) *DecodeError {
	if !p.accept('[') {
		return p.unexpected("an array")
	}
	p.space()
	if p.accept(']') {
		return nil
	}
	for i := 0; ; i++ {
		p.space()
		if err := element(i); err != nil {
			return err
		}
		p.space()
		if p.accept(']') {
			return nil
		}
		if !p.accept(',') {
			return p.unexpected("a comma or ]")
		}
	}
}

// text reads a string. It returns "" for null.
func (p *parser) text() (string, *DecodeError) {
	if p.null() {
		return "", nil
	}
	raw, err := p.raw("a string")
	return string(raw), err
}

// raw reads a string and returns its bytes in UTF-8. The result is a part of the input if possible.
func (p *parser) raw(wanted string) ([]byte, *DecodeError) {
	if !p.accept('"') {
		return nil, p.unexpected(wanted)
	}
	start := p.pos
	for ; p.pos < len(p.data); p.pos++ {
		c := p.data[p.pos]
		if c == '"' {
			p.pos++
			return p.data[start : p.pos-1], nil
		}
		if c == '\\' || c >= utf8.RuneSelf {
			return p.unescape(append([]byte(nil), p.data[start:p.pos]...))
		}
		if c < ' ' {
			break
		}
	}
	return nil, p.unexpected("more of a string")
}

// unescape reads the rest of a string and appends it to text.
func (p *parser) unescape(text []byte) ([]byte, *DecodeError) {
	for p.pos < len(p.data) {
		c := p.data[p.pos]
		switch {
		case c == '"':
			p.pos++
			return text, nil
		case c == '\\':
			p.pos++
			var err *DecodeError
			if text, err = p.escape(text); err != nil {
				return nil, err
			}
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(p.data[p.pos:])
			text = utf8.AppendRune(text, r)
			p.pos += size
		case c < ' ':
			return nil, p.unexpected("more of a string")
		default:
			text = append(text, c)
			p.pos++
		}
	}
	return nil, p.unexpected("more of a string")
}

// escape reads what follows a backslash.
func (p *parser) escape(text []byte) ([]byte, *DecodeError) {
	c := p.peek()
	switch c {
	case '"', '\\', '/':
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
		r, ok := p.hex()
		if !ok {
			return nil, p.unexpected(`four hexadecimal digits after \u`)
		}
		p.pos += 5
		if utf16.IsSurrogate(r) {
			r = p.secondSurrogate(r)
		}
		return utf8.AppendRune(text, r), nil
	default:
		return nil, p.unexpected(`one of "\/bfnrtu after a backslash`)
	}
	p.pos++
	return append(text, c), nil
}

// hex reads uXXXX at pos without moving pos.
func (p *parser) hex() (rune, bool) {
	rest := p.data[p.pos:]
	if len(rest) < 5 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(rest[1:5]), 16, 32)
	return rune(n), err == nil
}

// secondSurrogate combines the first half of a surrogate pair with the second, if that follows. A lone half is U+FFFD.
func (p *parser) secondSurrogate(first rune) rune {
	if p.peek() != '\\' || p.pos+1 >= len(p.data) || p.data[p.pos+1] != 'u' {
		return utf8.RuneError
	}
	p.pos++
	second, ok := p.hex()
	if r := utf16.DecodeRune(first, second); ok && r != utf8.RuneError {
		p.pos += 5
		return r
	}
	p.pos-- // the escape that follows stands for itself
	return utf8.RuneError
}

// integer reads an integer of at most the given number of bits. It may be written as a string.
func (p *parser) integer(bits int) (int64, *DecodeError) {
	start := p.pos
	quoted := p.accept('"')
	digits := p.pos
	if !p.number() {
		return 0, p.errAt(start, "want a whole number")
	}
	token := string(p.data[digits:p.pos])
	if quoted && !p.accept('"') {
		return 0, p.errAt(start, "want a whole number")
	}
	n, err := strconv.ParseInt(token, 10, bits)
	if err != nil {
		return 0, p.errAt(start, token+" is not a whole number of "+strconv.Itoa(bits)+" bits")
	}
	return n, nil
}

// number reads a JSON number and reports whether there is one.
func (p *parser) number() bool {
	p.accept('-')
	if !p.accept('0') && !p.digits() {
		return false
	}
	if p.accept('.') && !p.digits() {
		return false
	}
	if p.accept('e') || p.accept('E') {
		_ = p.accept('+') || p.accept('-')
		return p.digits()
	}
	return true
}

func (p *parser) digits() bool {
	start := p.pos
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		p.pos++
	}
	return p.pos > start
}

// skip skips a value of any kind.
func (p *parser) skip() *DecodeError { return p.skipNested(0) }

func (p *parser) skipNested(depth int) *DecodeError {
	if depth > maxDepth {
		return p.errAt(p.pos, "nested too deep")
	}
	switch c := p.peek(); {
	case c == '{':
		return p.object(func([]byte) *DecodeError { return p.skipNested(depth + 1) })
	case c == '[':
		return p.array(func(int) *DecodeError { return p.skipNested(depth + 1) })
	case c == '"':
		_, err := p.raw("a string")
		return err
	case p.literal("null") || p.literal("true") || p.literal("false"):
		return nil
	}
	start := p.pos
	if !p.number() {
		p.pos = start
		return p.unexpected("a value")
	}
	return nil
}
