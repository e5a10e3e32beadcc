package main

import (
	"fmt"
	"strings"
)

// mutation is one way to break a function.
type mutation struct {
	name string
	// function is where, as "(*member).finish" or "classify", with the package's directory before it where the name alone
	// is not enough: "internal/batch.(*Pool).Take".
	function string
	old, new string
	// packages are those whose tests must notice.
	packages []string
	// reason says why no test can: the mutation changes nothing that can be seen.
	reason string
}

// parse reads a list of mutations:
//
//	tests: . ./internal/batch     (holds for what follows)
//
//	name: what is broken
//	func: (*member).finish
//	reason: why nothing notices it (only where nothing can)
//	- the code as it is, on one line
//	+ the code as it is then
//
// Several lines with - and + are joined. A # begins a comment line.
func parse(text string) ([]mutation, error) {
	var all []mutation
	var m mutation
	var packages []string
	keep := func(line int) error {
		if m.name == "" && m.function == "" {
			return nil
		}
		if m.name == "" || m.function == "" || m.old == "" {
			return fmt.Errorf("before line %d: a mutation needs name:, func: and a line with -", line)
		}
		m.packages = packages
		all = append(all, m)
		m = mutation{}
		return nil
	}
	line := 0
	for raw := range strings.Lines(text) {
		line++
		s := strings.TrimRight(raw, "\n")
		key, value, _ := strings.Cut(s, " ")
		switch key {
		case "name:":
			if err := keep(line); err != nil {
				return nil, err
			}
			m.name = value
		case "func:":
			m.function = value
		case "reason:":
			m.reason = value
		case "tests:":
			if err := keep(line); err != nil {
				return nil, err
			}
			packages = strings.Fields(value)
		case "-":
			m.old = join(m.old, value)
		case "+":
			m.new = join(m.new, value)
		default:
			if s != "" && !strings.HasPrefix(s, "#") {
				return nil, fmt.Errorf("line %d: %q is none of name:, func:, reason:, tests:, - and +", line, s)
			}
		}
	}
	return all, keep(line + 1)
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "\n" + b
}
