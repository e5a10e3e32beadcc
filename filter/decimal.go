package filter

// decimal is a JSON number, held exactly: sign × 0.DDDDDDDDDDDDDDDDDDDtail × 10^exp,
// where D are the first 19 significant digits. The form is canonical, so 300, 300.0
// and 3e2 are one decimal, while 9007199254740993 and 9007199254740992, which are one
// float64, are two.
type decimal struct {
	mant uint64 // 19 digits with a non-zero first one, or 0 for zero
	exp  int64
	tail []byte // further digits, the last not '0'; may hold the decimal point. Points into the source.
	neg  bool
}

const (
	mantDigits = 19
	// maxExponent bounds a written exponent; one beyond it counts as this. No number
	// that fits into a record can make up for it, and sums of two stay far from overflow.
	maxExponent = 1 << 40
)

var pow10 = [mantDigits + 1]uint64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
}

// scanDecimal is scanNumber and parseDecimal in one pass over the numbers that are usual: up to 19 digits and no
// exponent. It returns the index behind the number, or -1.
func scanDecimal(b []byte, i int, d *decimal) int {
	start := i
	if b[i] == '-' {
		i++
	}
	from := i
	var mant uint64
	for i < len(b) && b[i]-'0' <= 9 && i-from < mantDigits {
		mant = mant*10 + uint64(b[i]-'0')
		i++
	}
	digits := i - from
	if digits == 0 || digits > 1 && b[from] == '0' {
		return -1
	}
	if mant == 0 {
		digits = 0
	}
	exp := digits
	if i < len(b) && b[i] == '.' {
		i++
		from = i
		for i < len(b) && b[i]-'0' <= 9 && digits < mantDigits {
			if mant = mant*10 + uint64(b[i]-'0'); mant == 0 {
				exp--
			} else {
				digits++
			}
			i++
		}
		if i == from {
			return scanLongDecimal(b, start, d)
		}
	}
	if i < len(b) && (b[i]-'0' <= 9 || b[i]|0x20 == 'e' || b[i] == '.') {
		return scanLongDecimal(b, start, d)
	}
	if mant != 0 {
		d.mant, d.exp, d.neg = mant*pow10[mantDigits-digits], int64(exp), b[start] == '-'
	}
	return i
}

// scanLongDecimal is scanDecimal for every other number.
func scanLongDecimal(b []byte, i int, d *decimal) int {
	end := scanNumber(b, i)
	if end >= 0 {
		*d = parseDecimal(b[i:end])
	}
	return end
}

// parseDecimal reads b, which must be a valid JSON number.
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
		if digits < mantDigits {
			d.mant = d.mant*10 + uint64(c)
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
	if d.mant == 0 {
		return decimal{}
	}
	d.mant *= pow10[mantDigits-digits]
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
	return d.mant == o.mant && d.exp == o.exp && d.neg == o.neg && compareTails(d.tail, o.tail) == 0
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
	case d.mant == 0 || o.mant == 0:
		return compareInts(d.mant, o.mant)
	case d.exp != o.exp:
		return compareInts(d.exp, o.exp)
	case d.mant != o.mant:
		return compareInts(d.mant, o.mant)
	}
	return compareTails(d.tail, o.tail)
}

func compareInts[T int64 | uint64](a, b T) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

// compareTails compares digit by digit; a decimal point in either is passed over.
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
			return compareInts(uint64(a[0]), uint64(b[0]))
		}
		a, b = a[1:], b[1:]
	}
}
