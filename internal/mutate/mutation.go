package main

import (
	"errors"
	"fmt"
	"strings"
)

// mutation is one way to break a function.
type mutation struct {
	name string
	// function is the function to change, as "(*member).finish" or "classify", prefixed with the package's
	// directory where the name alone is ambiguous: "internal/batch.(*Pool).Take".
	function string
	old, new string
	// packages are the directories whose tests must notice.
	packages []string
	// item is the past defect that the line fixed, for defects that the model must find again.
	item string
	// reason says why no test can notice the mutation: it changes nothing visible, or nothing that is
	// promised.
	reason string
}

// parse parses a list of mutations:
//
//	tests: . ./internal/batch     (applies to what follows; directories that do not exist are skipped)
//
//	name: what is broken
//	func: (*member).finish
//	item: A2 (only if it is the fix of one)
//	reason: why nothing notices it (only if nothing can)
//	- the code as it is, on one line
//	+ the code that replaces it
//
// Several lines with - and + are joined. A # starts a comment line.
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

// noticed holds which test last noticed each mutation: that test is tried first the next time. The file has a
// line for each, "name: package test".
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

// text returns the file's contents, in the order of the mutations.
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
