package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	criteria := file("criteria.json", `{"Filters":[{"Pattern":"{\"value\":{\"a\":[1]}}"},{"Pattern":"{\"value\":[\"x\"]}"}]}`)
	lines := file("patterns", `{"value":{"a":[1]}}`+"\n\n"+`{"value":["x"]}`+"\n")
	records := file("records.jsonl", "{\"a\":1}\n{\"a\":2}\n\nx")
	for name, args := range map[string][]string{
		"criteria": {"-patterns", criteria, records}, "lines": {"-patterns", lines, "-explain", records},
		"flags": {"-pattern", `{"value":{"a":[1]}}`, "-pattern", `{"value":["x"]}`, "-"},
	} {
		var out strings.Builder
		if err := run(args, strings.NewReader("{\"a\":1}\n{\"a\":2}\n\nx"), &out); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.HasSuffix(out.String(), "\n2 matched, 2 not matched, 0 of the wrong kind\n") {
			t.Errorf("%s: %s", name, out.String())
		}
	}
	var out strings.Builder
	if err := run(nil, nil, &out); err != nil || !strings.HasSuffix(out.String(), "\n2 matched, 2 not matched, 1 of the wrong kind\n") {
		t.Errorf("the sample: %v\n%s", err, out.String())
	}
	for _, args := range [][]string{
		{"-pattern", `{}`}, {"-patterns", filepath.Join(dir, "none")}, {"-patterns", file("empty", " ")}, {"a", "b"}, {filepath.Join(dir, "none")}, {"-unknown"},
	} {
		if err := run(args, strings.NewReader(""), &strings.Builder{}); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}
