package esm_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Every constant of Op is used, and no other value is.
func TestOpsAreThoseInUse(t *testing.T) {
	set := token.NewFileSet()
	var files []*ast.File
	for _, pattern := range []string{"*.go", "observe/*.go", "internal/*/*.go"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") || name == "observe.go" { // it has only the aliases
				continue
			}
			file, err := parser.ParseFile(set, name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
	}
	values, uses := make(map[string]string), make(map[string]int)
	for _, file := range files {
		for _, decl := range file.Decls {
			g, ok := decl.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, spec := range g.Specs {
				v := spec.(*ast.ValueSpec)
				if typ, ok := v.Type.(*ast.Ident); ok && typ.Name == "Op" {
					values[v.Names[0].Name], _ = strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
				}
			}
		}
	}
	if len(values) < 12 {
		t.Fatalf("found the constants %v", values)
	}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				return len(n.Names) == 0 || values[n.Names[0].Name] == ""
			case *ast.Ident:
				if values[n.Name] != "" {
					uses[n.Name]++
				}
			case *ast.KeyValueExpr: // Op: "something", except in a SourceError, whose Op is a sentence
				key, _ := n.Key.(*ast.Ident)
				if lit, ok := n.Value.(*ast.BasicLit); ok && key != nil && key.Name == "Op" && !sentence(file, n) {
					t.Errorf("%s: Op is the literal %s, want one of the constants", set.Position(n.Pos()), lit.Value)
				}
			case *ast.CallExpr: // problem("something", …)
				if f, ok := n.Fun.(*ast.SelectorExpr); ok && strings.EqualFold(f.Sel.Name, "problem") && len(n.Args) > 0 {
					if lit, ok := n.Args[0].(*ast.BasicLit); ok {
						if value, _ := strconv.Unquote(lit.Value); !slices.Contains(all(values), value) {
							t.Errorf("%s: problem(%s), want one of the constants", set.Position(n.Pos()), lit.Value)
						}
					}
				}
			}
			return true
		})
	}
	for name := range values {
		if uses[name] == 0 {
			t.Errorf("%s is not in use", name)
		}
	}
}

func all(m map[string]string) (values []string) {
	for _, v := range m {
		values = append(values, v)
	}
	return values
}

// sentence reports whether field belongs to a composite literal of SourceError.
func sentence(file *ast.File, field *ast.KeyValueExpr) (is bool) {
	ast.Inspect(file, func(n ast.Node) bool {
		if c, ok := n.(*ast.CompositeLit); ok {
			if typ := c.Type; strings.HasSuffix(types.ExprString(typ), "SourceError") && slices.Contains(c.Elts, ast.Expr(field)) {
				is = true
			}
		}
		return !is
	})
	return is
}
