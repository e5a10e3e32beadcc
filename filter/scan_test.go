package filter

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The scanner's fast paths look at eight bytes at a time, which may reach past the value or the input.

func TestScanDecimalIsParseDecimal(t *testing.T) {
	digits := rapid.StringMatching(`0|[1-9][0-9]{0,20}`)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{"", "-"}).Draw(t, "sign") + digits.Draw(t, "whole")
		if rapid.Bool().Draw(t, "point") {
			text += "." + rapid.StringMatching(`[0-9]{1,20}`).Draw(t, "fraction")
		}
		if rapid.IntRange(0, 4).Draw(t, "exponent") == 0 {
			text += rapid.StringMatching(`[eE][+-]?[0-9]{1,3}`).Draw(t, "e")
		}
		before := rapid.StringMatching(`[0-9:,]{0,9}`).Draw(t, "before")
		after := rapid.SampledFrom([]string{"", "}", ",", " ", "]}", `,"longer than a word":1}`, "\x00", "\xff"}).Draw(t, "after")
		var got decimal
		b := []byte(before + text + after)
		if end := scanDecimal(b, len(before), &got); end != len(before)+len(text) {
			t.Fatalf("%q ends at %d, not %d", b, end, len(before)+len(text))
		}
		if want := parseDecimal([]byte(text)); !got.equal(&want) || got.compare(&want) != 0 {
			t.Fatalf("%q is %+v, not %+v", b, got, want)
		}
	})
}

func TestScanDecimalRefusesWhatScanNumberRefuses(t *testing.T) {
	for _, text := range []string{"", "-", "-.5", ".5", "01", "00", "-01", "1.", "1.x", "12345678.", "1e", "1e+", "-x", "1234567890123456.", "0.", "0e"} {
		for _, after := range []string{"", ",", "xxxxxxxx"} {
			b := []byte(text + after)
			if len(b) == 0 || b[0] != '-' && b[0]-'0' > 9 {
				continue // it is called for numbers only
			}
			var d decimal
			if got, want := scanDecimal(b, 0, &d), scanNumber(b, 0); got != want {
				t.Errorf("%q ends at %d, not %d", b, got, want)
			}
		}
	}
}

// Keys of all lengths around a word, wanted and not, with and without escapes, at the end of the input.
func TestKeysOfAllLengths(t *testing.T) {
	key := rapid.StringMatching(`[ab]{0,3}|[ab]{6,10}|a{15,17}|[aé\\"/]{1,5}`)
	rapid.Check(t, func(t *rapid.T) {
		wanted, has := key.Draw(t, "wanted"), key.Draw(t, "has")
		if rapid.Bool().Draw(t, "same") {
			has = wanted
		}
		quote := func(s string) string {
			s = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
			if rapid.Bool().Draw(t, "escape") {
				s = strings.ReplaceAll(s, "a", `\u0061`)
			}
			return `"` + s + `"`
		}
		set, err := Compile([]string{`{"value":{` + quote(wanted) + `:[1],"other":[{"exists":false}]}}`})
		if err != nil {
			t.Skip(err)
		}
		value := []byte(`{` + quote(has) + `:1}`)
		want := NotMatched
		if wanted == has {
			want = Matched
		}
		if got := set.Match(nil, bytes.Clone(value)); got != want {
			t.Fatalf("wanted %q, value %s: %v", wanted, value, got)
		}
	})
}
