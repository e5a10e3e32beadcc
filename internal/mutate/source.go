package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// source is where every function of a module stands.
type source struct {
	files     map[string][]byte
	functions map[string][]place // by name, with and without the directory
}

// place is a function's text in a file.
type place struct {
	file     string
	from, to int
}

// load reads the Go files below a directory, without tests and nested modules.
func load(root string) (*source, error) {
	s := &source{files: map[string][]byte{}, functions: map[string][]place{}}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || exists(filepath.Join(path, "go.mod"))) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		return s.read(path)
	})
	return s, err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func (s *source) read(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	s.files[path] = text
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		name := f.Name.Name
		if f.Recv != nil && len(f.Recv.List) == 1 {
			name = receiver(f.Recv.List[0].Type) + "." + name
		}
		at := place{path, set.Position(f.Pos()).Offset, set.Position(f.End()).Offset}
		for _, key := range []string{name, filepath.ToSlash(filepath.Dir(path)) + "." + name} {
			s.functions[key] = append(s.functions[key], at)
		}
	}
	return nil
}

// receiver names the type of a receiver, without its type parameters: "(*T)" or "(T)".
func receiver(t ast.Expr) string {
	star := ""
	if s, ok := t.(*ast.StarExpr); ok {
		t, star = s.X, "*"
	}
	if generic, ok := t.(*ast.IndexExpr); ok {
		t = generic.X
	}
	return fmt.Sprintf("(%s%s)", star, t)
}

// apply returns the file that a mutation changes, and its new text.
func (s *source) apply(m mutation) (file string, text []byte, err error) {
	var hits []place
	for _, p := range s.functions[m.function] {
		if strings.Contains(string(s.files[p.file][p.from:p.to]), m.old) {
			hits = append(hits, p)
		}
	}
	switch {
	case len(s.functions[m.function]) == 0:
		return "", nil, fmt.Errorf("there is no function %s", m.function)
	case len(hits) == 0:
		return "", nil, fmt.Errorf("%s does not contain %q", m.function, m.old)
	case len(hits) > 1:
		return "", nil, fmt.Errorf("%s stands in %d places with this code: name its directory", m.function, len(hits))
	}
	p := hits[0]
	whole := s.files[p.file]
	body := string(whole[p.from:p.to])
	if n := strings.Count(body, m.old); n > 1 {
		return "", nil, fmt.Errorf("%s contains %q %d times: give more of the code around it", m.function, m.old, n)
	}
	changed := string(whole[:p.from]) + strings.Replace(body, m.old, m.new, 1) + string(whole[p.to:])
	return p.file, []byte(changed), nil
}

// overlay writes what go build's -overlay takes. end removes it.
func (s *source) overlay(m mutation) (file string, end func(), err error) {
	path, text, err := s.apply(m)
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return "", nil, err
	}
	end = func() { _ = os.RemoveAll(dir) }
	absolute, err := filepath.Abs(path)
	changed := filepath.Join(dir, filepath.Base(path))
	if err == nil {
		err = os.WriteFile(changed, text, 0o600)
	}
	data, jsonErr := json.Marshal(map[string]map[string]string{"Replace": {absolute: changed}})
	file = filepath.Join(dir, "overlay.json")
	if err = errors.Join(err, jsonErr); err == nil {
		err = os.WriteFile(file, data, 0o600)
	}
	if err != nil {
		end()
		return "", nil, err
	}
	return file, end, nil
}
