package filter

import (
	"fmt"
	"strings"
	"testing"
)

func TestDepth(t *testing.T) {
	set := mustCompile(t, `{"value":{"a":[1],"b":[{"exists":false}]}}`)
	nested := func(n int, open, closing string) string { return strings.Repeat(open, n) + strings.Repeat(closing, n) }
	for _, shape := range []struct{ before, open, closing, after string }{
		{``, `[`, `]`, ``},             // where the pattern looks
		{`{"x":`, `[`, `]`, `,"a":1}`}, // where it does not
	} {
		outer := strings.Count(shape.before, "{")
		fits := shape.before + nested(MaxDepth-outer, shape.open, shape.closing) + shape.after
		deeper := shape.before + nested(MaxDepth-outer+1, shape.open, shape.closing) + shape.after
		if got := set.Match(nil, []byte(fits)); got == WrongKind {
			t.Errorf("%d levels after %q: %v", MaxDepth, shape.before, got)
		}
		if got := set.Match(nil, []byte(deeper)); got != WrongKind {
			t.Errorf("%d levels after %q: %v", MaxDepth+1, shape.before, got)
		}
		if got := set.Match(nil, []byte(strings.Repeat(shape.open, 1<<20))); got != WrongKind {
			t.Errorf("a million levels: %v", got)
		}
	}
}

// TestJoinIsBounded gives the join an exact-cover puzzle made of duplicate keys.
func TestJoinIsBounded(t *testing.T) {
	var fields, arrays []string
	for i := range 24 {
		fields = append(fields, fmt.Sprintf(`"k%02d":[1]`, i))
	}
	for i := range 24 {
		arrays = append(arrays, fmt.Sprintf(`"m":[{"k%02d":1},{"k%02d":1},{"k%02d":1}]`, i%23, (i*7+1)%23, (i*5+2)%23))
	}
	value := []byte(`{` + strings.Join(arrays, ",") + `,"m":[{"x":[{"k23":1}]}],"m":[[{"k23":2}]]}`)
	for _, extra := range []string{``, `,"n":[{"exists":false}]`} {
		set := mustCompile(t, `{"value":{"m":{`+strings.Join(fields, ",")+extra+`}}}`)
		var scratch Scratch
		set.Match(&scratch, value)
		if got := len(scratch.join.arena); got > 1<<20 {
			t.Errorf("the join used %d words", got)
		}
	}
}

func TestMatchDoesNotAllocate(t *testing.T) {
	for name, c := range map[string]struct {
		patterns []string
		value    string
	}{
		"values": {fiveNone, order1KB}, "operators": {fiveFull, order1KB}, "arrays": {fiveArrays, order1KB},
		"text": {[]string{`{"value":[{"cidr":"10.0.0.0/8"},{"equals-ignore-case":"É"}]}`}, "1.2.3.x"},
		"join": {[]string{`{"value":{"items":{"sku":["S-1"],"qty":[78,2],"zip":[{"exists":false}]}}}`}, array10k(100)},
	} {
		set := mustCompile(t, c.patterns...)
		value := []byte(c.value)
		var scratch Scratch
		set.Match(&scratch, value)
		if n := testing.AllocsPerRun(100, func() { set.Match(&scratch, value) }); n != 0 {
			t.Errorf("%s: %v allocations a match", name, n)
		}
	}
}

func TestScratchServesAnySet(t *testing.T) {
	small, large := mustCompile(t, `{"value":{"a":[1]}}`), mustCompile(t, fiveFull...)
	var scratch Scratch
	for range 3 {
		if got := small.Match(&scratch, []byte(`[{"a":1}]`)); got != Matched {
			t.Fatal(got)
		}
		if got := large.Match(&scratch, []byte(order1KB)); got != NotMatched {
			t.Fatal(got)
		}
	}
}
