package main

import (
	"errors"
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
	// packages are the directories whose tests must notice.
	packages []string
	// item is what of the engine's history the line is the mend of, where the model has to find it again.
	item string
	// reason says why no test can notice: the mutation changes nothing that can be seen, or nothing that is promised.
	reason string
}

// parse reads a list of mutations:
//
//	tests: . ./internal/batch     (holds for what follows; a directory that is not there is passed over)
//
//	name: what is broken
//	func: (*member).finish
//	item: A2 (only where it is the mend of one)
//	reason: why nothing notices it (only where nothing can)
//	- the code as it is, on one line
//	+ the code as it is then
//
// Several lines with - and + are joined. A # begins a comment line.
func parse(text string) ([]mutation, error) {
	var all []mutation
	var m mutation
	var packages []string
	names := make(map[string]bool)
	keep := func(line int) error {
		if m.name == "" && m.function == "" {
			return nil
		}
		if m.name == "" || m.function == "" || m.old == "" {
			return fmt.Errorf("before line %d: a mutation needs name:, func: and a line with -", line)
		}
		if names[m.name] {
			return fmt.Errorf("before line %d: a second mutation of the name %q", line, m.name)
		}
		names[m.name] = true
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
		case "item:":
			m.item = value
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
				return nil, fmt.Errorf("line %d: %q is none of name:, func:, item:, reason:, tests:, - and +", line, s)
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

// noticed is which test noticed a mutation last: it is asked first the next time. It is a file with a line for each,
// "name: package test".
type noticed map[string]witness

type witness struct{ dir, test string }

func parseNoticed(text string) (noticed, error) {
	known := make(noticed)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, rest, ok := strings.Cut(line, ": ")
		fields := strings.Fields(rest)
		if !ok || len(fields) != 2 {
			return nil, errors.New("not \"name: package test\": " + line)
		}
		known[name] = witness{fields[0], fields[1]}
	}
	return known, nil
}

// text is the file of what is known, in the order of the mutations.
func (k noticed) text(all []mutation) string {
	var b strings.Builder
	b.WriteString("# Which test notices what of mutations.txt: written by -record, and asked first by the next run.\n")
	for _, m := range all {
		if w, ok := k[m.name]; ok {
			fmt.Fprintf(&b, "%s: %s %s\n", m.name, w.dir, w.test)
		}
	}
	return b.String()
}
