package filter

import (
	"cmp"
	"math/bits"
)

// decimal is an exact JSON number: sign × 0.DDDDDDDDDDDDDDDDtail × 10^exp, where D are the first 16
// significant digits. The form is canonical: 300, 300.0 and 3e2 are the same decimal, while 9007199254740993
// and 9007199254740992, which are the same float64, are different ones. Digits are stored as one byte each;
// comparing them needs no conversion.
type decimal struct {
	high, low uint64 // eight digits each, the first one highest; both 0 for zero
	exp       int64
	tail      []byte // further digits, the last not '0'; may include the decimal point. Points into the source.
	neg       bool
}

const (
	wordDigits = 8
	headDigits = 2 * wordDigits
	// maxExponent limits a written exponent; a larger one is clamped to it. No number that fits into a record
	// can compensate for it, and the sum of two cannot overflow.
	maxExponent = 1 << 40
)

// scanDecimal combines scanNumber and parseDecimal for the usual numbers: no exponent, fewer than 16 digits,
// fewer than eight of them after the point, and the first not 0. It returns the index after the number, or
// -1.
func scanDecimal(b []byte, i int, d *decimal) int {
	start := i
	if b[i] == '-' {
		i++
	}
	high, n := leadingDigits(load8(b, i))
	var low uint64
	if n == wordDigits {
		var more int
		low, more = leadingDigits(load8(b, i+wordDigits))
		n += more
	}
	if n == 0 || n == headDigits || b[i] == '0' {
		return scanLongDecimal(b, start, d)
	}
	i += n
	d.exp, d.neg = int64(n), b[start] == '-'
	if i < len(b) && b[i] == '.' {
		fraction, k := leadingDigits(load8(b, i+1))
		if k == 0 || k == wordDigits || n+k > headDigits {
			return scanLongDecimal(b, start, d)
		}
		if n < wordDigits {
			high |= fraction >> (8 * n)
			low = fraction << (64 - 8*n)
		} else {
			low |= fraction >> (8 * (n - wordDigits))
		}
		i += 1 + k
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		return scanLongDecimal(b, start, d)
	}
	d.high, d.low = high, low
	return i
}

// leadingDigits returns the digits at the start of w, the first one highest, and their number.
func leadingDigits(w uint64) (digits uint64, n int) {
	w ^= lowBits * '0' // digits become 0 to 9, anything else is larger
	over := (w + lowBits*(0x7f-9) | w) & highBits
	bit := bits.TrailingZeros64(over) &^ 7 // 64 if all are digits
	return bits.ReverseBytes64(w & (1<<bit - 1)), bit >> 3
}

// scanLongDecimal is scanDecimal for all other numbers.
func scanLongDecimal(b []byte, i int, d *decimal) int {
	end := scanNumber(b, i)
	if end >= 0 {
		*d = parseDecimal(b[i:end])
	}
	return end
}

// parseDecimal parses b, which must be a valid JSON number.
func parseDecimal(b []byte) decimal {
	var d decimal
	i := 0
	if b[0] == '-' {
		d.neg = true
		i = 1
	}
	digits := 0
	point := false
	tailFrom, tailTo := 0, 0
	for ; i < len(b); i++ {
		c := b[i] - '0'
		if c > 9 {
			if b[i] != '.' {
				break // the exponent
			}
			point = true
			continue
		}
		if digits == 0 && c == 0 { // leading zeros
			if point {
				d.exp--
			}
			continue
		}
		if !point {
			d.exp++
		}
		if digits < headDigits {
			word := &d.high
			if digits >= wordDigits {
				word = &d.low
			}
			*word |= uint64(c) << (56 - 8*(digits%wordDigits))
			digits++
			continue
		}
		if tailFrom == 0 {
			tailFrom = i
		}
		if c != 0 {
			tailTo = i + 1
		}
	}
	if digits == 0 {
		return decimal{}
	}
	if tailTo > 0 {
		d.tail = b[tailFrom:tailTo]
	}
	if i < len(b) {
		d.exp += parseExponent(b[i+1:])
	}
	return d
}

func parseExponent(b []byte) int64 {
	neg := b[0] == '-'
	if neg || b[0] == '+' {
		b = b[1:]
	}
	var e int64
	for _, c := range b {
		e = min(e*10+int64(c-'0'), maxExponent)
	}
	if neg {
		return -e
	}
	return e
}

func (d *decimal) equal(o *decimal) bool {
	return d.high == o.high && d.low == o.low && d.exp == o.exp && d.neg == o.neg && compareTails(d.tail, o.tail) == 0
}

// compare returns -1, 0 or 1.
func (d *decimal) compare(o *decimal) int {
	if d.neg != o.neg {
		if d.neg {
			return -1
		}
		return 1
	}
	c := d.compareAbs(o)
	if d.neg {
		return -c
	}
	return c
}

func (d *decimal) compareAbs(o *decimal) int {
	switch {
	case d.high == 0 || o.high == 0: // zero is the one whose first digit is 0
		return cmp.Compare(d.high, o.high)
	case d.exp != o.exp:
		return cmp.Compare(d.exp, o.exp)
	case d.high != o.high:
		return cmp.Compare(d.high, o.high)
	case d.low != o.low:
		return cmp.Compare(d.low, o.low)
	}
	return compareTails(d.tail, o.tail)
}

// compareTails compares digit by digit and skips a decimal point in either.
func compareTails(a, b []byte) int {
	for {
		if len(a) > 0 && a[0] == '.' {
			a = a[1:]
		}
		if len(b) > 0 && b[0] == '.' {
			b = b[1:]
		}
		switch {
		case len(a) == 0 && len(b) == 0:
			return 0
		case len(a) == 0:
			return -1
		case len(b) == 0:
			return 1
		case a[0] != b[0]:
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
}
