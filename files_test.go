package esm_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file is about one noun and can be read in one sitting: none has more than 350 lines, including tests, except
// generated files.
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

// The root and each internal package of the engine can be read in an afternoon: fewer than 2,500 lines without tests.
func TestRoomsAreSmall(t *testing.T) {
	const most = 2499
	rooms := make(map[string]int)
	for line := range strings.Lines(golist(t, "-deps", "-f", "{{.ImportPath}}\t{{.Dir}}", ".")) {
		path, dir, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if within, ok := strings.CutPrefix(path, "github.com/esm-go/esm"); !ok || within != "" && !strings.HasPrefix(within, "/internal/") {
			continue
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(file, "_test.go") && !generated(t, file, text) {
				rooms[path] += bytes.Count(text, []byte("\n"))
			}
		}
	}
	if len(rooms) < 10 || rooms["github.com/esm-go/esm/internal/run"] == 0 {
		t.Fatalf("found only the rooms %v", rooms)
	}
	for room, lines := range rooms {
		if lines > most {
			t.Errorf("%s has %d lines, %d are allowed: give a noun of it a room", room, lines, most)
		}
	}
}
