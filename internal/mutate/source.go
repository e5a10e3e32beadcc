package main

import (
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

// source holds the position of every function of a module.
type source struct {
	files     map[string][]byte
	packages  map[string]string   // the name of a directory's package
	functions map[string][]*place // by name, with and without the directory
}

// place is a function in a file, with the offsets of its declaration and of its body's opening brace.
type place struct {
	file             string
	from, to, opened int
	decl             *ast.FuncDecl
}

// load reads the Go files below a directory, except tests and nested modules.
func load(root string) (*source, error) {
	s := &source{files: map[string][]byte{}, packages: map[string]string{}, functions: map[string][]*place{}}
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
	s.packages[filepath.Dir(path)] = file.Name.Name
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		name := f.Name.Name
		if f.Recv != nil && len(f.Recv.List) == 1 {
			name = receiver(f.Recv.List[0].Type) + "." + name
		}
		offset := func(p token.Pos) int { return set.Position(p).Offset }
		at := &place{file: path, from: offset(f.Type.Func), to: offset(f.End()), opened: offset(f.Body.Lbrace), decl: f}
		for _, key := range []string{name, filepath.ToSlash(filepath.Dir(path)) + "." + name} {
			key = strings.ToLower(key) // moving to another package changes the case of a name
			s.functions[key] = append(s.functions[key], at)
		}
	}
	return nil
}

// receiver returns the type of a receiver, without its type parameters: "(*T)" or "(T)".
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

// apply returns the function that a mutation changes, and its declaration after the change.
func (s *source) apply(m mutation) (*place, string, error) {
	var hits []*place
	named := s.functions[strings.ToLower(m.function)]
	for _, p := range named {
		if strings.Contains(string(s.files[p.file][p.from:p.to]), m.old) {
			hits = append(hits, p)
		}
	}
	switch {
	case len(named) == 0:
		return nil, "", fmt.Errorf("there is no function %s", m.function)
	case len(hits) == 0:
		return nil, "", fmt.Errorf("%s does not contain %q", m.function, m.old)
	case len(hits) > 1:
		return nil, "", fmt.Errorf("%s stands in %d places with this code: name its directory", m.function, len(hits))
	}
	p := hits[0]
	body := string(s.files[p.file][p.from:p.to])
	if n := strings.Count(body, m.old); n > 1 {
		return nil, "", fmt.Errorf("%s contains %q %d times: give more of the code around it", m.function, m.old, n)
	}
	return p, strings.Replace(body, m.old, m.new, 1), nil
}
