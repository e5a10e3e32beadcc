package main

import (
	"os"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	got, err := parse("# a list\ntests: . ./x\n\nname: one\nfunc: (*a).b\nitem: A1\n- x\n+ y\n\nname: two\nfunc: c\nreason: none\n- p\n- q\n+\n")
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	if m := got[0]; m.name != "one" || m.function != "(*a).b" || m.old != "x" || m.new != "y" || m.item != "A1" || len(m.packages) != 2 {
		t.Errorf("%+v", m)
	}
	if m := got[1]; m.old != "p\nq" || m.new != "" || m.reason != "none" {
		t.Errorf("%+v", m)
	}
	for _, bad := range []string{"name: one\nfunc: f\n", "name: one\n- x\n", "what is this\n", "name: a\nfunc: f\n- x\nname: a\nfunc: f\n- y\n"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestNoticed(t *testing.T) {
	all := []mutation{{name: "a name"}, {name: "survives"}, {name: "b"}}
	known := noticed{"a name": {".", "TestA"}, "b": {"internal/x", "TestB"}}
	got, err := parseNoticed(known.text(all))
	if err != nil || len(got) != 2 || got["a name"] != known["a name"] || got["b"] != known["b"] {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := parseNoticed("no test\n"); err == nil {
		t.Error("a line with no test is taken")
	}
}

func TestFirstFailure(t *testing.T) {
	for out, want := range map[string][2]string{
		"--- FAIL: TestA (0.1s)\n    --- FAIL: TestA/b (0.1s)\n        a_test.go:3: wrong\nFAIL\n": {"TestA", "a_test.go:3: wrong"},
		"panic: deadlock [recovered]\n":                                  {"?", "panic: deadlock [recovered]"},
		"--- FAIL: TestA (0.1s)\npanic: index out of range\n\ngoroutine": {"TestA", "panic: index out of range"},
		"ok\n": {"?", ""},
	} {
		if test, says := firstFailure(out); test != want[0] || says != want[1] {
			t.Errorf("%q: %q, %q", out, test, says)
		}
	}
}

// The list matches the code: each mutation names code that occurs exactly once, in a function that can be
// copied.
func TestEveryMutationApplies(t *testing.T) {
	text, err := os.ReadFile("mutations.txt")
	if err != nil {
		t.Fatal(err)
	}
	list, err := parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 200 {
		t.Fatalf("the list has %d mutations", len(list))
	}
	t.Chdir("../..")
	src, err := load(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		if p, _, err := src.apply(m); err != nil {
			t.Errorf("%s: %v", m.name, err)
		} else if _, err := callOf(src, p, "Mutated"); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
		if m.old == m.new || strings.TrimSpace(m.old) == "" {
			t.Errorf("%s: changes nothing", m.name)
		}
	}
}
