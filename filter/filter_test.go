package filter

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// TestMatch is the table of the semantics, one special case a line, over the fields of "value".
func TestMatch(t *testing.T) {
	const yes, no = Matched, NotMatched
	tests := []struct {
		pattern, value string
		want           Outcome
	}{
		// Equality and kinds.
		{`{"a":["x"]}`, `{"a":"x"}`, yes},
		{`{"a":["x"]}`, `{"a":"X"}`, no},
		{`{"a":["x","y"]}`, `{"a":"y"}`, yes},
		{`{"a":[5]}`, `{"a":"5"}`, no},
		{`{"a":["5"]}`, `{"a":5}`, no},
		{`{"a":[true]}`, `{"a":true}`, yes},
		{`{"a":[true]}`, `{"a":"true"}`, no},
		{`{"a":[true]}`, `{"a":1}`, no},
		{`{"a":[null]}`, `{"a":null}`, yes},
		{`{"a":[null]}`, `{"a":""}`, no},
		{`{"a":[null]}`, `{"b":1}`, no},
		{`{"a":[""]}`, `{"a":""}`, yes},
		{`{"a":["é"]}`, `{"a":"\u00e9"}`, yes},
		{`{"a":["é"]}`, `{"a":"e\u0301"}`, no},
		{`{"\u0061":["😀"]}`, `{"a":"\ud83d\ude00"}`, yes},
		{`{"a":["10.0.0.1"]}`, `{"a":"010.0.0.1"}`, no},
		{`{"a":[{"exactly":"x"}]}`, `{"a":"x"}`, yes},

		// Numbers are compared by value, exactly.
		{`{"a":[300]}`, `{"a":300.0}`, yes},
		{`{"a":[300]}`, `{"a":3.0e2}`, yes},
		{`{"a":[300]}`, `{"a":3E+2}`, yes},
		{`{"a":[0]}`, `{"a":-0.0}`, yes},
		{`{"a":[0]}`, `{"a":0e5}`, yes},
		{`{"a":[9007199254740993]}`, `{"a":9007199254740992}`, no},
		{`{"a":[9007199254740993]}`, `{"a":9007199254740993}`, yes},
		{`{"a":[12345678901234567891]}`, `{"a":12345678901234567890}`, no},
		{`{"a":[{"numeric":[">",9007199254740992]}]}`, `{"a":9007199254740993}`, yes},
		{`{"a":[{"numeric":[">",0]}]}`, `{"a":1e309}`, yes},
		{`{"a":[{"numeric":["=",3.018e2]}]}`, `{"a":301.8}`, yes},
		{`{"a":[{"numeric":[">",0,"<=",5]}]}`, `{"a":5}`, yes},
		{`{"a":[{"numeric":[">",0,"<=",5]}]}`, `{"a":5.0000000000000000000001}`, no},
		{`{"a":[{"numeric":["<",-1]}]}`, `{"a":-1.5}`, yes},
		{`{"a":[{"numeric":["<",5]}]}`, `{"a":"1"}`, no},
		{`{"a":["y",{"numeric":["<",5]}]}`, `{"a":"y"}`, yes},

		// Operators on strings.
		{`{"a":[{"prefix":""}]}`, `{"a":"x"}`, yes},
		{`{"a":[{"prefix":"ab"}]}`, `{"a":"a"}`, no},
		{`{"a":[{"prefix":"abc\""}]}`, `{"a":"abc"}`, no},
		{`{"a":[{"suffix":".png"}]}`, `{"a":"x.png"}`, yes},
		{`{"a":[{"equals-ignore-case":"straße"}]}`, `{"a":"STRASSE"}`, no},
		{`{"a":[{"equals-ignore-case":"ÉCOLE"}]}`, `{"a":"école"}`, yes},
		{`{"a":[{"prefix":{"equals-ignore-case":"ÉC"}}]}`, `{"a":"école"}`, yes},
		{`{"a":[{"suffix":{"equals-ignore-case":"LE"}}]}`, `{"a":"école"}`, yes},
		{`{"a":[{"wildcard":"a*b*c"}]}`, `{"a":"a-b-b-c"}`, yes},
		{`{"a":[{"wildcard":"a*a"}]}`, `{"a":"a"}`, no},
		{`{"a":[{"wildcard":"\\*\\\\"}]}`, `{"a":"*\\"}`, yes},
		{`{"a":[{"cidr":"10.0.0.0/24"}]}`, `{"a":"10.0.0.255"}`, yes},
		{`{"a":[{"cidr":"10.0.0.7/24"}]}`, `{"a":"10.0.1.0"}`, no},
		{`{"a":[{"cidr":"10.0.0.7/32"}]}`, `{"a":"10.0.0.7"}`, yes},
		{`{"a":[{"cidr":"2001:db8::/32"}]}`, `{"a":"2001:DB8:0:1::2"}`, yes},

		// anything-but passes every leaf that is not listed, of any type.
		{`{"a":[{"anything-but":"x"}]}`, `{"a":"y"}`, yes},
		{`{"a":[{"anything-but":["x"]}]}`, `{"a":null}`, yes},
		{`{"a":[{"anything-but":[5]}]}`, `{"a":"5"}`, yes},
		{`{"a":[{"anything-but":[5]}]}`, `{"a":5.0}`, no},
		{`{"a":[{"anything-but":["x"]}]}`, `{"b":1}`, no},
		{`{"a":[{"anything-but":["x"]}]}`, `{"a":{}}`, no},
		{`{"a":[{"anything-but":["x"]}]}`, `{"a":["x","y"]}`, yes},
		{`{"a":[{"anything-but":{"prefix":["x","y"]}}]}`, `{"a":"yz"}`, no},
		{`{"a":[{"anything-but":{"wildcard":"*foo*"}}]}`, `{"a":"bar"}`, yes},
		{`{"a":["x",{"anything-but":"x"}]}`, `{"a":"x"}`, yes},

		// exists looks at leaves.
		{`{"a":[{"exists":true}]}`, `{"a":null}`, yes},
		{`{"a":[{"exists":true}]}`, `{"a":{"b":1}}`, no},
		{`{"a":[{"exists":false}]}`, `{"a":{"b":1}}`, yes},
		{`{"a":[{"exists":false}]}`, `{"a":[]}`, yes},
		{`{"a":[{"exists":false}]}`, `{"a":[{"b":1},2]}`, no},
		{`{"a":[{"exists":false},"x"]}`, `{"a":"x"}`, yes},
		{`{"a":[{"exists":false},"x"]}`, `{"a":"y"}`, no},

		// Paths.
		{`{"a":{"b":[1]}}`, `{"a":{"b":1}}`, yes},
		{`{"a.b":[1]}`, `{"a":{"b":1}}`, yes},
		{`{"a":{"b":[1]}}`, `{"a.b":1}`, yes},
		{`{"a":{"":[1]}}`, `{"a":{"":1}}`, yes},
		{`{"a":[1],"a":[2]}`, `{"a":1}`, no},
		{`{"a":[1],"a":[2]}`, `{"a":2}`, yes},
		{`{"a":{"b":[1]},"a":{"c":[2]}}`, `{"a":{"b":1}}`, no},
		{`{"a":[1],"b":[2]}`, `{"a":0,"b":2,"a":1}`, yes},

		// $or, in text order.
		{`{"$or":[{"a":[1]},{"b":[2]}]}`, `{"b":2}`, yes},
		{`{"$or":[{"a":[1]},{"b":[2]}],"c":[3]}`, `{"b":2}`, no},
		{`{"a":[1],"$or":[{"a":[2]},{"b":[3]}]}`, `{"a":2}`, yes},
		{`{"a":[1],"$or":[{"a":[2]},{"b":[3]}]}`, `{"a":1}`, no},
		{`{"$or":[{"a":[2]},{"b":[3]}],"a":[1]}`, `{"a":2}`, no},
		{`{"x":{"$or":[{"a":[1]},{"$or":[{"b":[2]},{"c":[3]}]}]}}`, `{"x":{"c":3}}`, yes},

		// Arrays: no two picks from different elements of one array.
		{`{"a":["x"]}`, `{"a":["w","x"]}`, yes},
		{`{"e":{"first":["Anna"],"last":["Jones"]}}`, `{"e":[{"first":"Anna","last":"Smith"},{"first":"Bob","last":"Jones"}]}`, no},
		{`{"e":{"first":["Anna"],"last":["Jones"]}}`, `{"e":[{"first":"Bob","last":"Jones"},{"first":"Anna","last":"Jones"}]}`, yes},
		{`{"e":{"first":["Anna"],"last":["Jones"]}}`, `{"e":{"first":["Anna","Bob"],"last":["Smith","Jones"]}}`, yes},
		{`{"e":{"a":[1],"f":{"b":[2]}}}`, `{"e":[{"a":1,"f":[{"b":3}]},{"a":0,"f":[{"b":2}]}]}`, no},
		{`{"e":{"a":[1]},"f":{"a":[2]}}`, `{"e":[{"a":0},{"a":1}],"f":[{"a":2},{"a":0}]}`, yes},
		{`{"a":["x"],"a.b":[1]}`, `{"a":["x",{"b":1}]}`, yes},
		{`{"a":["x"],"a.b":[1]}`, `{"a":[["x"],{"b":1}]}`, no},
		{`{"a":["x"],"a.b":[1]}`, `{"a":[["x",{"b":1}],{"b":2}]}`, yes},
		{`{"a":[2]}`, `{"a":[[1],[[2]]]}`, yes},
		{`{"a":[1],"b":[2]}`, `[{"a":1},{"b":2}]`, no},
		{`{"a":[1],"b":[2]}`, `[{"a":1,"b":2},{}]`, yes},

		// exists:false inside arrays: what earlier paths have chosen counts.
		{`{"d":{"a":[1],"b":[{"exists":false}]}}`, `{"d":[{"a":1},{"b":2}]}`, yes},
		{`{"d":{"b":[2],"a":[{"exists":false}]}}`, `{"d":[{"a":1},{"b":2}]}`, no},
		{`{"d":{"a":[1],"b":[{"exists":false}]}}`, `{"d":[{"a":1,"b":2},{"a":1}]}`, yes},
		{`{"d":{"a":[1],"b":[{"exists":false}]}}`, `{"d":[{"a":1,"b":2}]}`, no},
		{`{"d":{"b":[{"exists":false}]}}`, `{"d":[{"a":1},{"b":2}]}`, no},

		// Duplicate keys: every occurrence counts, each as a separate place.
		{`{"d":{"a":[1],"b":[2]}}`, `{"d":[{"a":1}],"d":[{"b":2}]}`, yes},
		{`{"d":{"a":[1],"b":[2]}}`, `{"d":[{"a":1},{"b":2}],"d":[{"b":3}]}`, no},
		{`{"d":{"a":[1],"b":[{"exists":false}]}}`, `{"d":[{"a":1},{"b":2}],"d":[{"a":1},{"b":2}]}`, no},
	}
	var scratch Scratch
	for _, tt := range tests {
		pattern := `{"value":` + tt.pattern + `}`
		set := mustCompile(t, pattern)
		if got := set.Match(&scratch, []byte(tt.value)); got != tt.want {
			t.Errorf("%s on %s: got %v", tt.pattern, tt.value, got)
		}
		if got := naiveCompile([]string{pattern}).match([]byte(tt.value)); got != tt.want {
			t.Errorf("%s on %s: the naive implementation says %v", tt.pattern, tt.value, got)
		}
	}
}

func TestMatchKinds(t *testing.T) {
	const (
		object = `{"value":{"a":[1]}}`
		text   = `{"value":["x",{"prefix":"{a"},{"numeric":["=",1]},"null"]}`
		both   = `{"$or":[{"value":["x"]},{"value":{"a":[1]}}]}`
	)
	tests := []struct {
		pattern string
		value   any // string or nil
		want    Outcome
	}{
		{object, `{"a":1}`, Matched}, {object, ` {"a":1} `, Matched}, {object, `{"a":2}`, NotMatched}, {object, `[]`, NotMatched},
		{object, `x`, WrongKind}, {object, ``, WrongKind}, {object, `1`, WrongKind}, {object, `"x"`, WrongKind}, {object, `null`, WrongKind},
		{object, `{"a":1`, WrongKind}, {object, `{"a":1}}`, WrongKind}, {object, `{"a":1} x`, WrongKind}, {object, `{"a":1,"b":01}`, WrongKind},
		{object, "{\"a\":1,\"b\":\"\x01\"}", WrongKind}, {object, "{\"a\":1,\"b\":\"\xff\"}", WrongKind}, {object, "{\"a\":1,\"\xc3\":2}", WrongKind},
		{object, "\xef\xbb\xbf{\"a\":1}", WrongKind},
		{object, nil, NotMatched}, {`{"value":{"a":[{"exists":false}]}}`, nil, Matched},
		{text, `x`, Matched}, {text, `y`, NotMatched}, {text, ``, NotMatched}, {text, `{"a":1}`, WrongKind}, {text, `["x"]`, WrongKind},
		{text, `{a`, Matched}, {text, `1`, NotMatched}, {text, `null`, Matched}, {text, nil, NotMatched}, {text, "x\xff", WrongKind},
		{`{"value":[null]}`, nil, Matched}, {`{"value":[null]}`, `null`, NotMatched}, {`{"value":[{"anything-but":["x"]}]}`, nil, Matched},
		{`{"value":[{"exists":true}]}`, ``, Matched}, {`{"value":[{"exists":false}]}`, nil, NotMatched},
		{both, `x`, Matched}, {both, `{"a":1}`, Matched}, {both, `y`, NotMatched}, {both, `{"a":2}`, NotMatched}, {both, "\xff", WrongKind},
	}
	for _, tt := range tests {
		var value []byte
		if s, ok := tt.value.(string); ok {
			value = append([]byte{}, s...)
		}
		set := mustCompile(t, tt.pattern)
		if got := set.Match(nil, value); got != tt.want {
			t.Errorf("%s on %q: got %v, want %v", tt.pattern, tt.value, got, tt.want)
		}
	}
	if got := mustCompile(t).Match(nil, []byte("\xff")); got != Matched {
		t.Errorf("no filter at all: got %v", got)
	}
}

func TestStrict(t *testing.T) {
	for condition, ok := range map[string]bool{
		`"x"`: true, `{"prefix":"x"}`: true, `{"suffix":"x"}`: true, `{"equals-ignore-case":"x"}`: true, `{"exists":false}`: true,
		`{"numeric":["=",1]}`: true, `{"anything-but":["x"]}`: true, `{"anything-but":"x"}`: true,
		`{"wildcard":"x"}`: false, `{"cidr":"10.0.0.0/8"}`: false, `{"exactly":"x"}`: false, `{"anything-but":{"prefix":"x"}}`: false,
		`{"prefix":{"equals-ignore-case":"x"}}`: false, `{"suffix":{"equals-ignore-case":"x"}}`: false, `{"anything-but":{"wildcard":["x"]}}`: false,
	} {
		patterns := []string{`{"value":{"a":[` + condition + `]}}`}
		mustCompile(t, patterns...)
		if _, err := Compile(patterns, Strict()); (err == nil) != ok {
			t.Errorf("%s: %v", condition, err)
		}
	}
}

func TestManyTests(t *testing.T) {
	// More than 64 tests, so that a row of bits has several words. The last field decides.
	var fields, values []string
	for i := range 200 {
		condition := strconv.Itoa(i)
		if i%10 == 9 {
			condition += `,{"exists":false}`
		}
		fields = append(fields, fmt.Sprintf(`"f%03d":[%s]`, i, condition))
		values = append(values, fmt.Sprintf(`"f%03d":%d`, i, i))
	}
	pattern := func(i, j int) string { return `{"value":{"m":{` + strings.Join(fields[i:j], ",") + `}}}` }
	set := mustCompile(t, pattern(0, 140), pattern(60, 200))
	all := strings.Join(values, ",")
	for value, want := range map[string]Outcome{
		`{"m":{` + all + `}}`:                                                            Matched,
		`{"m":[{` + all + `}]}`:                                                          Matched,
		`{"m":[{"x":1},{` + all + `}]}`:                                                  Matched,
		`{"m":[{` + all + `,"f139":0,"f199":0}]}`:                                        Matched, // duplicates: one occurrence suffices
		`{"m":[{` + strings.Replace(all, `"f100":100`, `"f100":0`, 1) + `}]}`:            NotMatched,
		`{"m":{` + strings.Replace(all, `"f100":100`, `"f100":0`, 1) + `}}`:              NotMatched,
		`{"m":[{` + strings.Replace(all, `"f150":150`, `"f150":0`, 1) + `}]}`:            Matched, // the first filter does not name it
		`{"m":[{` + all + `,"f999":[{"f139":0}]},{"f199":0,"f139":0}]}`:                  Matched,
		`{"m":[{"f000":0},{` + strings.Join(values[1:], ",") + `}]}`:                     Matched, // by the second filter
		`{"m":[{"f070":70},{` + strings.Replace(all, `"f070":70`, `"f070":0`, 1) + `}]}`: NotMatched,
	} {
		if got := set.Match(nil, []byte(value)); got != want {
			t.Errorf("%.200s: got %v, want %v", value, got, want)
		}
		if got := naiveCompile([]string{pattern(0, 140), pattern(60, 200)}).match([]byte(value)); got != want {
			t.Errorf("%.200s: the naive implementation says %v, want %v", value, got, want)
		}
	}
}
