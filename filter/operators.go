package filter

import (
	"net/netip"
	"strconv"
)

// operatorReader parses the conditions of one pattern.
type operatorReader struct {
	pattern string
	strict  bool
}

// operatorNames are the names that are not allowed as field names inside $or, where {"prefix":…} would be
// ambiguous.
var operatorNames = [...]string{
	"anything-but", "cidr", "equals-ignore-case", "exactly", "exists", "numeric", "prefix", "suffix", "wildcard",
}

func isOperatorName(s string) bool {
	for _, n := range operatorNames {
		if n == s {
			return true
		}
	}
	return false
}

// test parses the array of conditions of one field.
func (r *operatorReader) test(t *tree) (*test, *PatternError) {
	if len(t.kids) == 0 {
		return nil, refuse(t.off, "an empty array matches nothing; list the wanted values, or use {\"exists\": true}")
	}
	out := &test{source: r.pattern[t.off:t.end]}
	for i := range t.kids {
		k := &t.kids[i]
		switch k.kind {
		case kindString:
			out.strings.add(k.str)
		case kindNumber:
			out.numbers = append(out.numbers, parseDecimal(k.str))
		case kindLiteral:
			out.literals |= k.lit
		case kindArray:
			return nil, refuse(k.off, "a list stands inside the list of conditions; write its values there directly")
		case kindObject:
			if err := r.condition(out, k); err != nil {
				return nil, err
			}
		}
	}
	out.strings.seal()
	return out, nil
}

// single checks that an operator object has one key, and returns the key and its operand.
func single(t *tree) (treeKey, *tree, *PatternError) {
	switch len(t.keys) {
	case 0:
		return treeKey{}, nil, refuse(t.off, "an empty object is not a condition; write one operator, as {\"prefix\": \"AB\"}")
	case 1:
		return t.keys[0], &t.kids[0], nil
	}
	return treeKey{}, nil, refuse(t.keys[1].off, "only one operator is allowed in a condition; put %q into an object of its own", t.keys[1].name)
}

func (r *operatorReader) condition(out *test, t *tree) *PatternError {
	key, arg, err := single(t)
	if err != nil {
		return err
	}
	var c condition
	switch key.name {
	case "exists":
		if arg.kind != kindLiteral || arg.lit == litNull {
			return refuse(arg.off, "exists takes true or false")
		}
		if arg.lit == litTrue {
			out.present = true
		} else {
			out.absent = true
		}
		return nil
	case "exactly":
		if err := r.beyondLambda(key); err != nil {
			return err
		}
		if arg.kind != kindString {
			return refuse(arg.off, "exactly takes a string")
		}
		out.strings.add(arg.str)
		return nil
	case "numeric":
		c, err = numeric(arg)
	case "anything-but":
		c, err = r.anythingBut(arg)
	default:
		c, err = r.onString(key, arg, true)
	}
	if err == nil {
		out.others = append(out.others, c)
	}
	return err
}

// beyondLambda rejects, under Strict, an operator that Lambda's documentation does not list.
func (r *operatorReader) beyondLambda(key treeKey) *PatternError {
	if !r.strict {
		return nil
	}
	return refuse(key.off, "%q in this form is an EventBridge operator that is not in Lambda's table; the strict mode refuses it", key.name)
}

// onString parses an operator on strings. plain is false inside anything-but, where cidr, ignore-case
// prefixes and empty prefixes are not allowed. An empty prefix there would exclude everything.
func (r *operatorReader) onString(key treeKey, arg *tree, plain bool) (condition, *PatternError) {
	var c condition
	switch {
	case key.name == "prefix" || key.name == "suffix":
		fold := plain && arg.kind == kindObject
		if fold {
			inner, v, err := single(arg)
			if err != nil {
				return c, err
			}
			if inner.name != "equals-ignore-case" {
				return c, refuse(inner.off, "%s takes a string or {\"equals-ignore-case\": string}, not %q", key.name, inner.name)
			}
			if err := r.beyondLambda(inner); err != nil {
				return c, err
			}
			arg = v
		}
		c.op = opPrefix
		if key.name == "suffix" {
			c.op = opSuffix
		}
		if fold {
			c.op += opPrefixFold - opPrefix
		}
	case key.name == "equals-ignore-case":
		c.op = opEqualFold
	case key.name == "wildcard":
		c.op = opWildcard
	case key.name == "cidr" && plain:
		c.op = opCIDR
	default:
		return c, refuse(key.off, "unknown operator %q (names are in lower case)", key.name)
	}
	if c.op == opWildcard || c.op == opCIDR {
		if err := r.beyondLambda(key); err != nil {
			return c, err
		}
	}
	if arg.kind != kindString {
		return c, refuse(arg.off, "%s takes a string", key.name)
	}
	c.str = arg.str
	switch {
	case c.op == opWildcard:
		w, problem := parseWildcard(string(arg.str))
		if problem != "" {
			return c, refuse(arg.off, "%s", problem)
		}
		c.wild = w
	case c.op == opCIDR:
		p, err := netip.ParsePrefix(string(arg.str))
		if err != nil {
			return c, refuse(arg.off, "cidr takes an address and a number of bits, as \"10.0.0.0/24\" or \"2001:db8::/32\"")
		}
		c.net = p.Masked()
	case !plain && len(arg.str) == 0 && (c.op == opPrefix || c.op == opSuffix):
		return c, refuse(arg.off, "an empty %s inside anything-but would exclude every string", key.name)
	}
	return c, nil
}

func (r *operatorReader) anythingBut(arg *tree) (condition, *PatternError) {
	but := &anythingBut{}
	c := condition{op: opAnythingBut, but: but}
	if arg.kind == kindObject {
		key, operand, err := single(arg)
		if err != nil {
			return c, err
		}
		if err := r.beyondLambda(key); err != nil {
			return c, err
		}
		list, err := operands(operand)
		if err != nil {
			return c, err
		}
		for i := range list {
			n, err := r.onString(key, &list[i], false)
			if err != nil {
				return c, err
			}
			but.nested = append(but.nested, n)
		}
		return c, nil
	}
	list, err := operands(arg)
	if err != nil {
		return c, err
	}
	for i := range list {
		switch v := &list[i]; {
		case v.kind != kindString && v.kind != kindNumber:
			return c, refuse(v.off, "anything-but takes strings or numbers")
		case v.kind != list[0].kind:
			return c, refuse(v.off, "anything-but takes strings or numbers, not both in one list")
		case v.kind == kindString:
			but.strings.add(v.str)
		default:
			but.numbers = append(but.numbers, parseDecimal(v.str))
		}
	}
	but.strings.seal()
	return c, nil
}

// operands returns the elements of a list, which must not be empty, or the single value.
func operands(t *tree) ([]tree, *PatternError) {
	if t.kind != kindArray {
		return []tree{*t}, nil
	}
	if len(t.kids) == 0 {
		return nil, refuse(t.off, "the list of anything-but is empty")
	}
	return t.kids, nil
}

func numeric(arg *tree) (condition, *PatternError) {
	c := condition{op: opNumeric}
	if arg.kind != kindArray || len(arg.kids) == 0 {
		return c, refuse(arg.off, "numeric takes an array, as [\">\", 10, \"<=\", 20]")
	}
	r := &c.num
	for i := 0; i < len(arg.kids); i += 2 {
		op := &arg.kids[i]
		if op.kind != kindString {
			return c, refuse(op.off, "numeric needs one of =, <, <=, >, >= here")
		}
		if i+1 == len(arg.kids) {
			return c, refuse(op.off, "numeric needs a number behind %q", op.str)
		}
		n, err := numericOperand(&arg.kids[i+1])
		if err != nil {
			return c, err
		}
		name := string(op.str)
		switch {
		case i > 0 && (!r.hasLow || r.hasHigh || name != "<" && name != "<="):
			return c, refuse(op.off, "numeric takes one comparison, or a lower bound (> or >=) and then an upper one (< or <=)")
		case name == "=":
			r.low, r.hasLow, r.lowClosed = n, true, true
			r.high, r.hasHigh, r.highClosed = n, true, true
		case name == ">" || name == ">=":
			r.low, r.hasLow, r.lowClosed = n, true, name == ">="
		case name == "<" || name == "<=":
			r.high, r.hasHigh, r.highClosed = n, true, name == "<="
		default:
			return c, refuse(op.off, "unknown numeric operator %q; use =, <, <=, > or >=", op.str)
		}
		if i > 0 && r.low.compare(&r.high) >= 0 {
			return c, refuse(op.off, "the lower bound of numeric must be less than the upper one")
		}
	}
	return c, nil
}

// numericOperand rejects numbers outside float64's range, as AWS's engine does.
func numericOperand(t *tree) (decimal, *PatternError) {
	if t.kind != kindNumber {
		return decimal{}, refuse(t.off, "numeric compares with numbers only, written without quotes")
	}
	d := parseDecimal(t.str)
	f, err := strconv.ParseFloat(string(t.str), 64)
	if err != nil || f == 0 && d.high != 0 {
		return d, refuse(t.off, "the number %s is outside the range that can be compared (that of a double)", t.str)
	}
	return d, nil
}
