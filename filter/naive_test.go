package filter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// The second implementation: decode, flatten, try every pick. It shares nothing with the package except the
// names of the outcomes, and accepts only valid patterns.

// ordered is decoded JSON that keeps order and duplicates.
type ordered struct {
	kind  byte // '{', '[' or 'v'
	keys  []string
	kids  []ordered
	value any // string, json.Number, bool or nil
}

func decodeOrdered(text []byte) ordered {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return decodeNext(d)
}

func decodeNext(d *json.Decoder) ordered {
	tok, err := d.Token()
	if err != nil {
		panic(err)
	}
	delim, ok := tok.(json.Delim)
	if !ok {
		return ordered{kind: 'v', value: tok}
	}
	o := ordered{kind: byte(delim)}
	for d.More() {
		if delim == '{' {
			key, err := d.Token()
			if err != nil {
				panic(err)
			}
			o.keys = append(o.keys, key.(string))
		}
		o.kids = append(o.kids, decodeNext(d))
	}
	if _, err := d.Token(); err != nil {
		panic(err)
	}
	return o
}

// naiveLeaf is a leaf, with the element of each array around it that it is in.
type naiveLeaf struct {
	path  string
	value any
	in    map[int]int
}

type flattener struct {
	leaves []naiveLeaf
	arrays int
}

func (f *flattener) walk(path string, o ordered, in map[int]int) {
	switch o.kind {
	case 'v':
		f.leaves = append(f.leaves, naiveLeaf{path, o.value, in})
	case '{':
		for i, k := range o.keys {
			f.walk(path+"."+k, o.kids[i], in)
		}
	case '[':
		id := f.arrays
		f.arrays++
		for i, k := range o.kids {
			if k.kind == 'v' {
				f.walk(path, k, in)
				continue
			}
			inner := map[int]int{id: i}
			maps.Copy(inner, in)
			f.walk(path, k, inner)
		}
	}
}

func (l naiveLeaf) suits(picks []naiveLeaf) bool {
	for _, p := range picks {
		for a, e := range l.in {
			if other, ok := p.in[a]; ok && other != e {
				return false
			}
		}
	}
	return true
}

// naiveField holds one field's conditions.
type naiveField struct {
	absent bool
	meets  []func(any) bool
}

type naiveBranch map[string]naiveField

func naiveExpand(prefix string, o ordered, branches []naiveBranch) []naiveBranch {
	for i, key := range o.keys {
		path := prefix + key
		switch v := o.kids[i]; {
		case key == "$or":
			var out []naiveBranch
			for _, alt := range v.kids {
				var copies []naiveBranch
				for _, b := range branches {
					c := naiveBranch{}
					maps.Copy(c, b)
					copies = append(copies, c)
				}
				out = append(out, naiveExpand(prefix, alt, copies)...)
			}
			branches = out
		case v.kind == '{':
			branches = naiveExpand(path+".", v, branches)
		default:
			for _, b := range branches {
				b[path] = naiveConditions(v)
			}
		}
	}
	return branches
}

func naiveConditions(list ordered) naiveField {
	var f naiveField
	for _, c := range list.kids {
		if c.kind == 'v' {
			f.meets = append(f.meets, func(v any) bool { return naiveEqual(v, c.value) })
			continue
		}
		op, arg := c.keys[0], c.kids[0]
		if op == "exists" {
			if arg.value == false {
				f.absent = true
			} else {
				f.meets = append(f.meets, func(any) bool { return true })
			}
			continue
		}
		f.meets = append(f.meets, naiveOperator(op, arg))
	}
	return f
}

func naiveEqual(a, b any) bool {
	x, ok := a.(json.Number)
	y, ok2 := b.(json.Number)
	if ok && ok2 {
		return rat(x).Cmp(rat(y)) == 0
	}
	return a == b
}

func rat(n json.Number) *big.Rat {
	r, ok := new(big.Rat).SetString(string(n))
	if !ok {
		panic("not a number: " + n)
	}
	return r
}

func naiveOperator(op string, arg ordered) func(any) bool {
	onString := func(f func(string) bool) func(any) bool {
		return func(v any) bool { s, ok := v.(string); return ok && f(s) }
	}
	operand, _ := arg.value.(string)
	pattern := func(format string) func(any) bool {
		re := regexp.MustCompile(fmt.Sprintf("(?s)"+format, regexp.QuoteMeta(operand)))
		return onString(re.MatchString)
	}
	switch op {
	case "exactly":
		return onString(func(s string) bool { return s == operand })
	case "equals-ignore-case":
		return pattern("^(?i:%s)$")
	case "prefix", "suffix":
		format := map[string]string{"prefix": "^(?i:%s)", "suffix": "(?i:%s)$"}[op]
		if arg.kind == '{' {
			operand = arg.kids[0].value.(string)
			return pattern(format)
		}
		return pattern(strings.Replace(format, "?i", "?-i", 1))
	case "wildcard":
		// Quoted, \ is \\, and * is \*.
		q := strings.NewReplacer(`\\\\`, `\\`, `\\\*`, `\*`, `\*`, `.*`).Replace(regexp.QuoteMeta(operand))
		return onString(regexp.MustCompile(`(?s)^` + q + `$`).MatchString)
	case "cidr":
		p := netip.MustParsePrefix(operand)
		return onString(func(s string) bool {
			ip, err := netip.ParseAddr(s)
			return err == nil && p.Contains(ip)
		})
	case "numeric":
		return func(v any) bool {
			n, ok := v.(json.Number)
			if !ok {
				return false
			}
			for i := 0; i < len(arg.kids); i += 2 {
				c := rat(n).Cmp(rat(arg.kids[i+1].value.(json.Number)))
				if !map[string]bool{"=": c == 0, "<": c < 0, "<=": c <= 0, ">": c > 0, ">=": c >= 0}[arg.kids[i].value.(string)] {
					return false
				}
			}
			return true
		}
	case "anything-but":
		var not []func(any) bool
		inner, wrap := arg, func(o ordered) func(any) bool { return func(v any) bool { return naiveEqual(v, o.value) } }
		if arg.kind == '{' {
			inner = arg.kids[0]
			wrap = func(o ordered) func(any) bool { return naiveOperator(arg.keys[0], o) }
		}
		if inner.kind != '[' {
			inner = ordered{kids: []ordered{inner}}
		}
		for _, o := range inner.kids {
			not = append(not, wrap(o))
		}
		return func(v any) bool {
			for _, f := range not {
				if f(v) {
					return false
				}
			}
			return true
		}
	}
	panic("operator " + op)
}

// try decides a branch by trying every pick, path by path.
func (b naiveBranch) try(paths []string, leaves []naiveLeaf, picks []naiveLeaf) bool {
	if len(paths) == 0 {
		return true
	}
	f := b[paths[0]]
	found := false
	for _, l := range leaves {
		if l.path != paths[0] || !l.suits(picks) {
			continue
		}
		found = true
		for _, m := range f.meets {
			if m(l.value) {
				if b.try(paths[1:], leaves, append(slices.Clone(picks), l)) {
					return true
				}
				break
			}
		}
	}
	return f.absent && !found && b.try(paths[1:], leaves, picks)
}

// naiveSet holds the branches of all filters.
type naiveSet []naiveBranch

func naiveCompile(patterns []string) naiveSet {
	var out naiveSet
	for _, p := range patterns {
		out = append(out, naiveExpand("", decodeOrdered([]byte(p)), []naiveBranch{{}})...)
	}
	return out
}

// match returns what Set.Match should return.
func (s naiveSet) match(value []byte) Outcome {
	isJSON, isText := false, value == nil
	root := ordered{kind: 'v'}
	trimmed := bytes.TrimLeft(value, " \t\r\n")
	switch {
	case value == nil:
		isJSON = true
	case !utf8.Valid(value):
		return WrongKind
	case json.Valid(value) && (trimmed[0] == '{' || trimmed[0] == '['):
		isJSON = true
		root = decodeOrdered(value)
	default:
		isText = true
		root.value = string(value)
	}
	var f flattener
	f.walk("value", root, nil)
	out := WrongKind
	for _, b := range s {
		paths := slices.Sorted(maps.Keys(b))
		wantsText := len(paths) == 1 && paths[0] == "value"
		if wantsText && !isText || !wantsText && !isJSON {
			continue
		}
		if b.try(paths, f.leaves, nil) {
			return Matched
		}
		out = NotMatched
	}
	return out
}
