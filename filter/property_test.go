package filter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// rapidChooser draws its choices from rapid, so that failures shrink.
type rapidChooser struct{ t *rapid.T }

func (c rapidChooser) choose(n int) int { return rapid.IntRange(0, n-1).Draw(c.t, "choice") }

func drawSet(t *rapid.T, patterns ...string) *Set {
	set, err := Compile(patterns)
	if err != nil {
		t.Fatalf("%q: %v", patterns, err.(*InvalidPatternError).Problems[0])
	}
	return set
}

func TestAnotherFilterNeverRemovesAMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := rapidChooser{t}
		one, two, value := genPattern(c), genPattern(c), genValue(c)
		a, b := drawSet(t, one).Match(nil, value), drawSet(t, two).Match(nil, value)
		both := drawSet(t, one, two).Match(nil, value)
		want := NotMatched
		switch {
		case a == Matched || b == Matched:
			want = Matched
		case a == WrongKind && b == WrongKind:
			want = WrongKind
		}
		if both != want {
			t.Fatalf("%v and %v make %v\n%s\n%s\n%q", a, b, both, one, two, value)
		}
	})
}

// rewrite formats decoded JSON again. shuffled reorders the members of objects; escaped writes some
// characters of strings and keys as escapes.
func rewrite(o ordered, shuffled, escaped *rand.Rand) string {
	str := func(s string) string {
		var b strings.Builder
		b.WriteByte('"')
		for _, r := range s {
			switch {
			case escaped != nil && escaped.IntN(2) == 0 || r < 0x20 || r == '"' || r == '\\':
				if r > 0xffff {
					r -= 0x10000
					fmt.Fprintf(&b, `\u%04x`, 0xd800+r>>10)
					r = 0xdc00 + r&0x3ff
				}
				fmt.Fprintf(&b, `\u%04X`, r)
			default:
				b.WriteRune(r)
			}
		}
		b.WriteByte('"')
		return b.String()
	}
	parts := make([]string, len(o.kids))
	for i, k := range o.kids {
		parts[i] = rewrite(k, shuffled, escaped)
		if o.kind == '{' {
			parts[i] = str(o.keys[i]) + ":" + parts[i]
		}
	}
	switch o.kind {
	case '{':
		if shuffled != nil {
			shuffled.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		}
		return "{" + strings.Join(parts, ",") + "}"
	case '[':
		return "[" + strings.Join(parts, ",") + "]"
	}
	switch v := o.value.(type) {
	case string:
		return str(v)
	case nil:
		return "null"
	default:
		return fmt.Sprint(v)
	}
}

func TestSpellingOfTheEventIsIrrelevant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := rapidChooser{t}
		onArrays := rapid.Bool().Draw(t, "on arrays")
		var pattern, value string
		if onArrays {
			pattern, value = genArrayPattern(c), `{"m":`+genArrayEvent(c, 4)+`}`
		} else {
			pattern, value = genPattern(c), genEvent(c, 4)
		}
		if value[0] != '{' && value[0] != '[' {
			return
		}
		set := drawSet(t, pattern)
		want := set.Match(nil, []byte(value))
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		event := decodeOrdered([]byte(value))
		for name, other := range map[string]string{
			"plain": rewrite(event, nil, nil), "shuffled": rewrite(event, r, nil), "escaped": rewrite(event, nil, r),
		} {
			if got := set.Match(nil, []byte(other)); got != want {
				t.Fatalf("%s: %v turned into %v\n%s\n%s\n%s", name, want, got, pattern, value, other)
			}
		}
	})
}

func TestSpellingOfThePatternIsIrrelevant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := rapidChooser{t}
		pattern, value := genPattern(c), genValue(c)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		other := rewrite(decodeOrdered([]byte(pattern)), nil, r)
		if utf8.RuneCountInString(other) > MaxPatternLength {
			return
		}
		if a, b := drawSet(t, pattern).Match(nil, value), drawSet(t, other).Match(nil, value); a != b {
			t.Fatalf("%v turned into %v\n%s\n%s\n%q", a, b, pattern, other, value)
		}
	})
}

func TestExplainAgreesWithMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := rapidChooser{t}
		pattern, value := genPattern(c), genValue(c)
		e, err := Explain(pattern, value)
		if err != nil {
			t.Fatal(err)
		}
		want := drawSet(t, pattern).Match(nil, value)
		best := WrongKind
		for _, a := range e.Alternatives {
			met := true
			for _, f := range a.Fields {
				met = met && f.Met
			}
			if a.Outcome == Matched && !met || a.Outcome == NotMatched && met && a.Reason == "" {
				t.Fatalf("an alternative is %v, but fields say otherwise\n%v", a.Outcome, e)
			}
			if a.Outcome == Matched || a.Outcome == NotMatched && best != Matched {
				best = a.Outcome
			}
		}
		if e.Outcome != want || best != want || e.String() == "" {
			t.Fatalf("Match says %v, alternatives %v\n%v", want, best, e)
		}
	})
}

func TestDecimal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.StringMatching(`-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,24})?([eE][+-]?[0-9]{1,2})?`)
		x, y := number.Draw(t, "x"), number.Draw(t, "y")
		if rapid.Bool().Draw(t, "near") {
			y = x + "" // the same except for one more digit or an exponent
			if !strings.ContainsAny(x, ".eE") {
				y += rapid.SampledFrom([]string{".0", ".00000000000000000001", "e0", "e1", "0"}).Draw(t, "suffix")
			}
		}
		if !json.Valid([]byte(x)) || !json.Valid([]byte(y)) {
			return // "-00", "00"
		}
		a, b := parseDecimal([]byte(x)), parseDecimal([]byte(y))
		p, _ := new(big.Rat).SetString(x)
		q, _ := new(big.Rat).SetString(y)
		if got, want := a.compare(&b), p.Cmp(q); got != want || a.equal(&b) != (want == 0) {
			t.Fatalf("%s against %s: %d, want %d", x, y, got, want)
		}
	})
}

func TestParseIP(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(
			rapid.StringMatching(`[0-9]{1,3}(\.[0-9]{1,3}){2,4}`),
			rapid.StringMatching(`:{0,2}([0-9a-fA-F]{0,5}:{1,2}){0,8}[0-9a-fA-F]{0,4}`),
			rapid.StringMatching(`(::|1:2:|::ffff:|1:2:3:4:5:6:)[0-9]{1,3}(\.[0-9]{1,3}){3}`),
			rapid.StringMatching(`[0-9a-f:.]{0,20}`),
			rapid.Custom(func(t *rapid.T) string {
				var ip [16]byte
				copy(ip[:], rapid.SliceOfN(rapid.SampledFrom([]byte{0, 0, 0, 1, 255}), 16, 16).Draw(t, "bytes"))
				return netip.AddrFrom16(ip).String()
			}),
		).Draw(t, "address")
		want, err := netip.ParseAddr(s)
		got, ok := parseIP([]byte(s))
		if ok != (err == nil) || ok && got != want {
			t.Fatalf("%q: got %v %v, want %v %v", s, got, ok, want, err)
		}
	})
}

// FuzzValid checks the scanner against encoding/json.
func FuzzValid(f *testing.F) {
	for _, s := range []string{order1KB, `[1,{"a":[]},-0.5e+7,"\ud83d\ude00\\",null]`, `{"a":"` + "\xff" + `"}`, `[[[]]]`, "[\"\x7f\"]", `{"":[{"":0}],"a":tru}`} {
		f.Add([]byte(s))
	}
	set := mustCompile(f, `{"value":{"a":{"b":["x"]},"":[{"exists":true}]}}`)
	f.Fuzz(func(t *testing.T, value []byte) {
		space := bytes.TrimLeft(value, " \t\r\n")
		want := json.Valid(value) && utf8.Valid(value) && (space[0] == '{' || space[0] == '[')
		if depth := bytes.Count(value, []byte{'['}) + bytes.Count(value, []byte{'{'}); depth > MaxDepth {
			return
		}
		if got := set.Match(nil, value) != WrongKind; got != want && value != nil {
			t.Fatalf("%q: read as JSON: %v, want %v", value, got, want)
		}
	})
}

// FuzzCompile uses any text as a pattern: Compile never panics, and an accepted pattern can be matched.
func FuzzCompile(f *testing.F) {
	for _, p := range append(append([]string{}, fiveFull...), fiveArrays...) {
		f.Add(p, []byte(order1KB))
	}
	f.Fuzz(func(t *testing.T, pattern string, value []byte) {
		e, err := Explain(pattern, value)
		if err != nil {
			if _, ok := err.(*InvalidPatternError); !ok {
				t.Fatalf("%T", err)
			}
			return
		}
		if got := mustCompile(t, pattern).Match(nil, value); got != e.Outcome {
			t.Fatalf("%v and %v", got, e.Outcome)
		}
	})
}
