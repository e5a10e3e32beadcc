package main

import (
	"os"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	got, err := parse("# a list\ntests: . ./x\n\nname: one\nfunc: (*a).b\n- x\n+ y\n\nname: two\nfunc: c\nreason: none\n- p\n- q\n+\n")
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	if m := got[0]; m.name != "one" || m.function != "(*a).b" || m.old != "x" || m.new != "y" || len(m.packages) != 2 {
		t.Errorf("%+v", m)
	}
	if m := got[1]; m.old != "p\nq" || m.new != "" || m.reason != "none" {
		t.Errorf("%+v", m)
	}
	for _, bad := range []string{"name: one\nfunc: f\n", "name: one\n- x\n", "what is this\n"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// The list keeps up with the code: each mutation names code that is there, once.
func TestEveryMutationApplies(t *testing.T) {
	text, err := os.ReadFile("mutations.txt")
	if err != nil {
		t.Fatal(err)
	}
	list, err := parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatal("the list is empty")
	}
	t.Chdir("../..")
	src, err := load(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		if _, _, err := src.apply(m); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
		if m.old == m.new || strings.TrimSpace(m.old) == "" {
			t.Errorf("%s: changes nothing", m.name)
		}
	}
}
