package esm_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"testing"
)

// A file holds one noun and is read in one sitting: none has more than 350 lines, tests included, generated ones aside.
func TestFilesAreShort(t *testing.T) {
	const most = 350
	files := goFiles(t)
	if len(files) < 500 {
		t.Fatalf("found only %d files", len(files))
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if lines := bytes.Count(text, []byte("\n")); lines > most && !generated(t, path, text) {
			t.Errorf("%s has %d lines, %d are allowed: split it by noun", path, lines, most)
		}
	}
}

func generated(t *testing.T, path string, text []byte) bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	return ast.IsGenerated(file)
}
