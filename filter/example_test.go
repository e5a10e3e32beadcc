package filter_test

import (
	"errors"
	"fmt"

	"github.com/esm-go/esm/filter"
)

func ExampleCompile() {
	set, err := filter.Compile([]string{
		`{"value":{"status":["NEW"],"total":[{"numeric":[">=",100]}]}}`,
		`{"value":[{"prefix":"ALERT"}]}`,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var scratch filter.Scratch // one per goroutine
	for _, value := range []string{`{"status":"NEW","total":250}`, `{"status":"NEW","total":9.5}`, `ALERT disk full`, "\xff"} {
		fmt.Println(set.Match(&scratch, []byte(value)))
	}
	// Output:
	// Matched
	// NotMatched
	// Matched
	// WrongKind
}

func ExampleCompile_invalid() {
	_, err := filter.Compile([]string{`{"value":{"status":[{"PREFIX":"N"}]}}`})
	fmt.Println(err)
	if problem, ok := errors.AsType[*filter.PatternError](err); ok {
		fmt.Println(problem)
	}
	// Output:
	// Invalid filter pattern definition.
	// filter 1, byte 21: unknown operator "PREFIX" (names are in lower case)
}

func ExampleExplain() {
	e, err := filter.Explain(`{"value":{"staff":{"first":["Anna"],"last":["Jones"]},"floor":[3]}}`,
		[]byte(`{"floor":"3","staff":[{"first":"Anna","last":"Smith"},{"first":"Bob","last":"Jones"}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(e)
	// Output:
	// NotMatched (value read as JSON)
	//   - value.floor wants [3], found "3": the value is a string, the pattern wants a number
	//   + value.staff.first wants ["Anna"], found "Anna", "Bob": met by 1 of 2 values
	//   + value.staff.last wants ["Jones"], found "Smith", "Jones": met by 1 of 2 values
}
