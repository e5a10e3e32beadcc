package filter

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// chooser is the source of choices for generated patterns and events.
type chooser interface {
	// choose returns a number from 0 to n-1. Generators make 0 the simplest choice, so that they end when a
	// source runs out.
	choose(n int) int
}

type randomChooser struct{ *rand.Rand }

func (c randomChooser) choose(n int) int { return c.IntN(n) }

// byteChooser reads its choices from a fuzzer's bytes, so that coverage can guide them.
type byteChooser struct{ data []byte }

func (c *byteChooser) choose(n int) int {
	if len(c.data) == 0 {
		return 0
	}
	b := c.data[0]
	c.data = c.data[1:]
	return int(b) % n
}

func pick(c chooser, of ...string) string { return of[c.choose(len(of))] }

// Few keys and values, so that patterns and events match often.
func genKey(c chooser) string {
	return pick(c, `a`, `b`, `c`, `a`, `b`, `c`, `d`, `a.b`, `b.c`, ``, `\u0061`, `a-`, `c.`)
}

func genNumber(c chooser) string {
	return pick(c, `0`, `1`, `2`, `3`, `-1`, `1.0`, `10e-1`, `0.1E1`, `2.5`, `-0`, `0e7`, `300`, `3e2`, `3.00E+2`,
		`9007199254740993`, `9007199254740992`, `9007199254740993.0`, `12345678901234567890`, `123456789012345678901`,
		`123456789012345678902`, `12345678901234567890.1`, `1e30`, `1e-30`, `0.00001`, `1e-5`, `1234567890123456789012e-2`, `12345678901234567890.12`)
}

func genString(c chooser) string {
	return `"` + pick(c, `x`, `y`, `xy`, `yx`, `X`, `xYx`, ``, `1`, `true`, `null`, `é`, `É`, `\u00e9`, `ß`, `\"`, `\\`, `*`,
		`x\ny`, `\ud83d\ude00`, `😀`, `10.0.0.1`, `10.0.1.1`, `::1`, `2001:db8::1`, `1.2.3`, `0123456789abcdef`, `0123456789abcdeF`) + `"`
}

func genScalar(c chooser) string {
	switch c.choose(8) {
	case 0, 1, 2:
		return genString(c)
	case 3, 4, 5:
		return genNumber(c)
	case 6:
		return pick(c, `true`, `false`)
	}
	return `null`
}

// genSpace is nearly always empty.
func genSpace(c chooser) string {
	if c.choose(20) == 19 {
		return pick(c, " ", "\n\t", "\r ")
	}
	return ""
}

func genEvent(c chooser, depth int) string {
	n := c.choose(10)
	if depth == 0 || n < 3 {
		return genScalar(c)
	}
	var parts []string
	for range c.choose(5) {
		if n < 7 {
			parts = append(parts, genSpace(c)+`"`+genKey(c)+`"`+genSpace(c)+`:`+genSpace(c)+genEvent(c, depth-1)+genSpace(c))
		} else {
			parts = append(parts, genSpace(c)+genEvent(c, depth-1)+genSpace(c))
		}
	}
	if n < 7 {
		return `{` + strings.Join(parts, ",") + `}`
	}
	return `[` + strings.Join(parts, ",") + `]`
}

// genValue is a record's value: mostly JSON, sometimes text, broken JSON or a tombstone.
func genValue(c chooser) []byte {
	switch c.choose(12) {
	case 0:
		return nil
	case 1:
		s := genString(c)
		return []byte(s[1 : len(s)-1])
	case 2:
		e := genEvent(c, 3)
		return []byte(e[:c.choose(len(e))])
	case 3:
		return []byte(pick(c, `{"a":"`+"\xff"+`"}`, "\xff", "{\"a\":\"\x01\"}", `{"a":01}`, `{"a":1,}`, `[1 2]`, `{"a":1}x`, ` {"a":1} `, `{"a":.5}`, `{"a":"\x"}`, `{"a":"\u00g0"}`, `[1.]`, `[1e]`, `{"a"}`, `nul`, `{"a":tru}`))
	}
	for {
		if e := genEvent(c, 4); e[0] == '{' || e[0] == '[' || c.choose(4) == 0 {
			return []byte(e)
		}
	}
}

func genList(c chooser, f func(chooser) string) string {
	parts := []string{f(c)}
	for range c.choose(3) {
		parts = append(parts, f(c))
	}
	return `[` + strings.Join(parts, ",") + `]`
}

func genCondition(c chooser) string {
	full := func(c chooser) string { return `"` + pick(c, `x`, `y`, `X`, `É`, `ab`, `\n`, `1`) + `"` }
	wild := func(c chooser) string {
		return `"` + pick(c, `*`, `x*`, `*x`, `x*x`, `*y*`, `\\*`, `*\\\\`, `0*7*f`, ``, `xy`) + `"`
	}
	oneOrList := func(f func(chooser) string) string {
		if c.choose(2) == 0 {
			return f(c)
		}
		return genList(c, f)
	}
	switch c.choose(20) {
	case 0, 1:
		return `{"exists":true}`
	case 2, 3, 4:
		return `{"exists":false}`
	case 5:
		return `{"` + pick(c, "prefix", "suffix", "equals-ignore-case", "exactly") + `":` + genString(c) + `}`
	case 6:
		return `{"` + pick(c, "prefix", "suffix") + `":{"equals-ignore-case":` + genString(c) + `}}`
	case 7:
		return `{"wildcard":` + wild(c) + `}`
	case 8:
		return `{"cidr":"` + pick(c, "10.0.0.0/24", "10.0.0.0/8", "::/0", "2001:db8::/32", "10.0.0.1/32") + `"}`
	case 9, 10:
		return `{"numeric":["` + pick(c, "=", "<", "<=", ">", ">=") + `",` + genNumber(c) + `]}`
	case 11:
		return `{"numeric":["` + pick(c, ">", ">=") + `",` + pick(c, "-1", "0", "0.5", "1") + `,"` + pick(c, "<", "<=") + `",` + pick(c, "2", "300", "9007199254740992", "1e20") + `]}`
	case 12:
		return `{"anything-but":` + oneOrList(genString) + `}`
	case 13:
		return `{"anything-but":` + oneOrList(genNumber) + `}`
	case 14:
		return `{"anything-but":{"` + pick(c, "prefix", "suffix", "equals-ignore-case") + `":` + oneOrList(full) + `}}`
	case 15:
		return `{"anything-but":{"wildcard":` + oneOrList(wild) + `}}`
	}
	return genScalar(c)
}

func genConditions(c chooser) string { return genList(c, genCondition) }

// genFields generates the inside of a pattern's object.
func genFields(c chooser, depth int) string {
	var parts []string
	for range 1 + c.choose(3) {
		switch n := c.choose(10); {
		case n == 9 && depth > 0:
			parts = append(parts, fmt.Sprintf(`"$or":[{%s},{%s}]`, genFields(c, depth-1), genFields(c, depth-1)))
		case n > 4 && depth > 0:
			parts = append(parts, fmt.Sprintf(`"%s":{%s}`, genKey(c), genFields(c, depth-1)))
		default:
			parts = append(parts, fmt.Sprintf(`"%s":%s`, genKey(c), genConditions(c)))
		}
	}
	return strings.Join(parts, ",")
}

func genPattern(c chooser) string {
	switch c.choose(12) {
	case 0:
		return `{"value":` + genConditions(c) + `}`
	case 1:
		return `{"$or":[{"value":` + genConditions(c) + `},{"value":{` + genFields(c, 2) + `}}]}`
	case 2:
		return `{"value":` + genConditions(c) + `,"value":{` + genFields(c, 2) + `}}`
	case 3:
		return `{"value.a":` + genConditions(c) + `,"value":{` + genFields(c, 2) + `}}`
	}
	return `{"value":{` + genFields(c, 3) + `}}`
}

// genArrayPattern and genArrayEvent test only the picks: few paths, two values, arrays of objects everywhere,
// and sometimes duplicate and dotted keys.
func genArrayPattern(c chooser) string {
	var fields []string
	for range 2 + c.choose(4) {
		var conditions []string
		for range 1 + c.choose(2) {
			conditions = append(conditions, pick(c, `1`, `2`, `1`, `2`, `{"exists":false}`, `{"exists":true}`, `{"exists":false}`))
		}
		fields = append(fields, fmt.Sprintf(`"%s":[%s]`, genArrayPath(c), strings.Join(conditions, ",")))
	}
	return `{"value":{` + strings.Join(fields, ",") + `}}`
}

func genArrayPath(c chooser) string {
	path := pick(c, `a`, `b`, `m`, `m`, `m`, `z`)
	for c.choose(3) > 0 {
		path += "." + pick(c, `a`, `b`, `m`, `z`)
	}
	return path
}

func genArrayEvent(c chooser, depth int) string {
	if depth == 0 || c.choose(6) == 0 {
		return pick(c, `1`, `2`, `3`)
	}
	var parts []string
	if c.choose(2) == 0 {
		for range c.choose(4) {
			parts = append(parts, genArrayEvent(c, depth-1))
		}
		return `[` + strings.Join(parts, ",") + `]`
	}
	for _, key := range []string{`a`, `m`, `z`, `b`} {
		if c.choose(2) == 0 {
			parts = append(parts, `"`+key+`":`+genArrayEvent(c, depth-1))
		}
	}
	if c.choose(8) == 0 {
		parts = append(parts, `"`+pick(c, `a`, `m`, `m.a`, `z`, `m.m`, `b`)+`":`+genArrayEvent(c, depth-1))
	}
	return `{` + strings.Join(parts, ",") + `}`
}
