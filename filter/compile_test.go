package filter

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestCompileRefuses(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 200) + `[1]` + strings.Repeat(`}`, 200)
	fan := `{"value":{` + strings.Repeat(`"$or":[{"a":[1]},{"b":[1]}],`, 10) + `"c":[1]}}`
	tests := []struct {
		pattern string // "value" as V
		offset  int
		reason  string // a substring of it
	}{
		{``, 0, "ends where a value should stand"},
		{`null`, 0, "is a JSON object"},
		{`text`, 0, "not JSON"},
		{`[1]`, 0, "is a JSON object"},
		{`{}`, 0, "names no field"},
		{`{"V":{}}`, 9, "names no field"},
		{`{"V":[]}`, 9, "empty array"},
		{`{"V":{"a":5}}`, 14, `"a" must be an object or an array`},
		{`{"V":{"a":"x"}}`, 14, "must be an object or an array"},
		{`{"V":{"a":[1]}} x`, 20, "text follows"},
		{`{"V":{"a":[1,]}}`, 17, "not JSON"},
		{`{"V":{"a":[1}}`, 16, "expected a comma"},
		{`{"V":{'a':[1]}}`, 10, "double quotes"},
		{`{"V":{"a" [1]}}`, 14, "colon"},
		{`{"V":{"a":["x]}}`, 15, "not closed"},
		{`{"V":{"a":[01]}}`, 15, "not a JSON number"},
		{`{"V":{"a":[-]}}`, 15, "not a JSON number"},
		{`{"V":{"a":[[1]]}}`, 15, "inside the list"},
		{`{"V":{"a":[{}]}}`, 15, "empty object is not a condition"},
		{`{"V":{"a":[{"prefix":"a","suffix":"b"}]}}`, 29, "only one operator"},
		{`{"V":{"a":[{"PREFIX":"a"}]}}`, 16, `unknown operator "PREFIX"`},
		{`{"V":{"a":[{"exists":"yes"}]}}`, 25, "true or false"},
		{`{"V":{"a":[{"exists":null}]}}`, 25, "true or false"},
		{`{"V":{"a":[{"exactly":1}]}}`, 26, "takes a string"},
		{`{"V":{"a":[{"prefix":1}]}}`, 25, "takes a string"},
		{`{"V":{"a":[{"prefix":{"x":"a"}}]}}`, 26, "equals-ignore-case"},
		{`{"V":{"a":[{"prefix":{"equals-ignore-case":1}}]}}`, 47, "takes a string"},
		{`{"V":{"a":[{"equals-ignore-case":["a"]}]}}`, 37, "takes a string"},
		{`{"V":{"a":[{"wildcard":"a**"}]}}`, 27, "two stars"},
		{`{"V":{"a":[{"wildcard":"\\a"}]}}`, 27, "backslash"},
		{`{"V":{"a":[{"wildcard":"a\\"}]}}`, 27, "backslash"},
		{`{"V":{"a":[{"cidr":"10.0.0.0"}]}}`, 23, "number of bits"},
		{`{"V":{"a":[{"cidr":"10.0.0.0/33"}]}}`, 23, "number of bits"},
		{`{"V":{"a":[{"numeric":5}]}}`, 26, "takes an array"},
		{`{"V":{"a":[{"numeric":[]}]}}`, 26, "takes an array"},
		{`{"V":{"a":[{"numeric":["<"]}]}}`, 27, "needs a number"},
		{`{"V":{"a":[{"numeric":["!",1]}]}}`, 27, "unknown numeric operator"},
		{`{"V":{"a":[{"numeric":["<","1"]}]}}`, 31, "without quotes"},
		{`{"V":{"a":[{"numeric":[1,2]}]}}`, 27, "needs one of"},
		{`{"V":{"a":[{"numeric":["<",1,">",0]}]}}`, 33, "a lower bound"},
		{`{"V":{"a":[{"numeric":["=",1,"<",2]}]}}`, 33, "lower"},
		{`{"V":{"a":[{"numeric":[">",1,">",2]}]}}`, 33, "a lower bound"},
		{`{"V":{"a":[{"numeric":[">=",1,"<=",1]}]}}`, 34, "must be less"},
		{`{"V":{"a":[{"numeric":[">",0,"<",2,"<",3]}]}}`, 39, "a lower bound"},
		{`{"V":{"a":[{"numeric":["=",1e309]}]}}`, 31, "outside the range"},
		{`{"V":{"a":[{"numeric":["=",1e-325]}]}}`, 31, "outside the range"},
		{`{"V":{"a":[{"anything-but":null}]}}`, 31, "strings or numbers"},
		{`{"V":{"a":[{"anything-but":[]}]}}`, 31, "empty"},
		{`{"V":{"a":[{"anything-but":["a",1]}]}}`, 36, "not both"},
		{`{"V":{"a":[{"anything-but":{"prefix":""}}]}}`, 41, "exclude every string"},
		{`{"V":{"a":[{"anything-but":{"cidr":"10.0.0.0/8"}}]}}`, 32, "unknown operator"},
		{`{"V":{"a":[{"anything-but":{"prefix":{"equals-ignore-case":"x"}}}]}}`, 41, "takes a string"},
		{`{"V":{"$or":{"a":[1]}}}`, 16, "two objects or more"},
		{`{"V":{"$or":[{"a":[1]}]}}`, 16, "two objects or more"},
		{`{"V":{"$or":[{"a":[1]},1]}}`, 27, "takes objects"},
		{`{"V":{"$or":[{"a":[1]},{"prefix":["x"]}]}}`, 28, "operator's name"},
		{`{"V":{"$or":[{"a":[1]},{"b":{"exists":["x"]}}]}}`, 33, "operator's name"},
		{`{"key":["x"]}`, 1, `must be "value"`},
		{`{"V":{"a":[1]},"topic":["x"]}`, 19, `must be "value"`},
		{`{"Vs":["x"]}`, 1, `must be "value"`},
		{deep, 640, "deeper than 128"},
		{`{"V":["` + strings.Repeat("x", 4096) + `"]}`, 0, "characters long"},
		{fan, -1, "more than 1000"},
	}
	for _, tt := range tests {
		pattern := strings.ReplaceAll(tt.pattern, `"V`, `"value`)
		set, err := Compile([]string{`{"value":["ok"]}`, pattern})
		if set != nil || err == nil {
			t.Errorf("%.80s is accepted", pattern)
			continue
		}
		var problem *PatternError
		if err.Error() != InvalidPatternMessage || !errors.As(err, &problem) {
			t.Errorf("%.80s: the error is %T %v", pattern, err, err)
			continue
		}
		if problem.Filter != 2 || !strings.Contains(problem.Reason, tt.reason) || problem.Offset != tt.offset && tt.offset >= 0 {
			t.Errorf("%.80s: got %v, want byte %d, %q", pattern, problem, tt.offset, tt.reason)
		}
	}
}

func TestCompileLimits(t *testing.T) {
	six := slices.Repeat([]string{`{"value":["x"]}`}, 6)
	for _, tt := range []struct {
		n    int
		opts []Option
		ok   bool
	}{
		{0, nil, true}, {5, nil, true}, {6, nil, false}, {6, []Option{WithMaxFilters(10)}, true},
		{1, []Option{WithMaxFilters(11)}, false}, {1, []Option{WithMaxFilters(0)}, false},
	} {
		if _, err := Compile(six[:tt.n], tt.opts...); (err == nil) != tt.ok {
			t.Errorf("%d filters, %d options: %v", tt.n, len(tt.opts), err)
		}
	}
	// 4096 characters are allowed, regardless of the number of bytes.
	mustCompile(t, `{"value":["`+strings.Repeat("é", MaxPatternLength-len(`{"value":[""]}`))+`"]}`)
	// Every rejected filter is reported.
	_, err := Compile([]string{`{`, `{"value":["x"]}`, `{}`})
	var invalid *InvalidPatternError
	if !errors.As(err, &invalid) || len(invalid.Problems) != 2 || invalid.Problems[0].Filter != 1 || invalid.Problems[1].Filter != 3 {
		t.Errorf("got %v", err)
	}
	if got := invalid.Problems[1].Error(); got != "filter 3, byte 0: an empty object names no field" {
		t.Errorf("got %q", got)
	}
}
