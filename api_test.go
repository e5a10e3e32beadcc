package esm_test

import (
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Readers can look up everything that a public package exports: no exported name uses a type of an internal package,
// whose fields and methods go doc does not show.
func TestNoInternalTypeInThePublicAPI(t *testing.T) {
	t.Parallel()
	packages := exported(t)
	if len(packages) < 20 {
		t.Fatalf("found only %d packages", len(packages))
	}
	for _, pkg := range packages {
		w := apiWalk{own: pkg.Path(), seen: make(map[types.Type]bool)}
		for _, name := range pkg.Scope().Names() {
			if object := pkg.Scope().Lookup(name); object.Exported() {
				w.object(pkg.Name()+"."+name, object)
			}
		}
		for _, found := range w.found {
			t.Error(found)
		}
	}
}

// The walk finds internal types wherever they occur.
func TestTheWalkFindsInternalTypes(t *testing.T) {
	hidden := types.NewPackage("example.com/m/internal/x", "x")
	inner := types.NewNamed(types.NewTypeName(token.NoPos, hidden, "T", nil), types.NewStruct(nil, nil), nil)
	pkg := types.NewPackage("example.com/m", "m")
	field := types.NewStruct([]*types.Var{types.NewField(token.NoPos, pkg, "F", types.NewSlice(inner), false)}, nil)
	unseen := types.NewStruct([]*types.Var{types.NewField(token.NoPos, pkg, "f", inner, false)}, nil)
	result := types.NewSignatureType(nil, nil, nil, nil, types.NewTuple(types.NewParam(token.NoPos, pkg, "", types.NewPointer(inner))), false)
	for name, c := range map[string]struct {
		object types.Object
		want   int
	}{
		"an alias":            {types.NewTypeName(token.NoPos, pkg, "A", nil), 1},
		"a field":             {types.NewVar(token.NoPos, pkg, "V", field), 1},
		"an unexported field": {types.NewVar(token.NoPos, pkg, "V", unseen), 0},
		"a result":            {types.NewFunc(token.NoPos, pkg, "Func", result), 1},
	} {
		if name == "an alias" {
			types.NewAlias(c.object.(*types.TypeName), inner)
		}
		w := apiWalk{own: pkg.Path(), seen: make(map[types.Type]bool)}
		w.object("m."+c.object.Name(), c.object)
		if len(w.found) != c.want {
			t.Errorf("%s: found %q, want %d", name, w.found, c.want)
		}
	}
}

// Lambda's codes for a mapping that does not work are defined in one place.
func TestStateCodesAreListedOnce(t *testing.T) {
	for _, code := range []string{"ESM_CONFIG_NOT_VALID", "EVENT_SOURCE_AUTHN_ERROR", "EVENT_SOURCE_AUTHZ_ERROR", "FUNCTION_CONFIG_NOT_VALID", "USER_INITIATED"} {
		var files []string
		for _, path := range goFiles(t) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for range strings.Count(string(text), `"`+code+`"`) {
				if !strings.HasSuffix(path, "_test.go") {
					files = append(files, path)
				}
			}
		}
		if len(files) != 1 {
			t.Errorf("%s is in %q", code, files)
		}
	}
}

// goFiles returns the Go files of this module.
func goFiles(t *testing.T) (files []string) {
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != ".":
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil || strings.HasPrefix(entry.Name(), ".") {
				return fs.SkipDir
			}
		case strings.HasSuffix(path, ".go"):
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// exported returns the module's importable packages, as the compiler exports them.
func exported(t *testing.T) (packages []*types.Package) {
	t.Helper()
	var public []string
	for line := range strings.Lines(golist(t, "-f", "{{.ImportPath}}\t{{.Name}}", "./...")) {
		path, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if name != "main" && !internal(path) && !strings.Contains(path, "/examples/") {
			public = append(public, path)
		}
	}
	files := make(map[string]string) // of these only, or everything else would be compiled
	for line := range strings.Lines(golist(t, append([]string{"-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}"}, public...)...)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		files[path] = file
	}
	imports := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		if files[path] == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(files[path])
	})
	for _, path := range public {
		pkg, err := imports.Import(path)
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, pkg)
	}
	return packages
}

func golist(t *testing.T, args ...string) string {
	t.Helper()
	list := exec.Command("go", append([]string{"list"}, args...)...)
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return string(out)
}

func internal(path string) bool { return slices.Contains(strings.Split(path, "/"), "internal") }

// apiWalk looks for types of internal packages in everything that a package exports.
type apiWalk struct {
	own   string
	seen  map[types.Type]bool
	found []string
}

func (w *apiWalk) object(where string, object types.Object) {
	name, isType := object.(*types.TypeName)
	if !isType {
		w.look(where, object.Type())
		return
	}
	if alias, ok := name.Type().(*types.Alias); ok {
		w.look(where, alias.Rhs())
		return
	}
	w.look(where, name.Type())
	w.look(where, name.Type().Underlying())
	if named, ok := name.Type().(*types.Named); ok {
		for method := range named.Methods() {
			if method.Exported() {
				w.look(where+"."+method.Name(), method.Type())
			}
		}
	}
}

func (w *apiWalk) look(where string, typ types.Type) {
	switch typ := typ.(type) {
	case *types.Alias:
		w.name(where, typ.Obj())
		w.arguments(where, typ.TypeArgs())
	case *types.Named:
		w.name(where, typ.Obj())
		w.arguments(where, typ.TypeArgs())
	case *types.Pointer:
		w.look(where, typ.Elem())
	case *types.Slice:
		w.look(where, typ.Elem())
	case *types.Array:
		w.look(where, typ.Elem())
	case *types.Chan:
		w.look(where, typ.Elem())
	case *types.Map:
		w.look(where, typ.Key())
		w.look(where, typ.Elem())
	case *types.Signature:
		w.look(where, typ.Params())
		w.look(where, typ.Results())
		for parameter := range typ.TypeParams().TypeParams() {
			w.look(where, parameter.Constraint())
		}
	case *types.Tuple:
		for v := range typ.Variables() {
			w.look(where, v.Type())
		}
	case *types.Struct:
		for field := range typ.Fields() {
			if field.Exported() {
				w.look(where+"."+field.Name(), field.Type())
			}
		}
	case *types.Interface:
		for method := range typ.Methods() {
			if method.Exported() {
				w.look(where+"."+method.Name(), method.Type())
			}
		}
	}
}

func (w *apiWalk) arguments(where string, list *types.TypeList) {
	for argument := range list.Types() {
		w.look(where, argument)
	}
}

// name reports a named type of an internal package.
func (w *apiWalk) name(where string, object *types.TypeName) {
	if pkg := object.Pkg(); pkg != nil && internal(pkg.Path()) {
		w.found = append(w.found, fmt.Sprintf("%s (%s) shows %s.%s", where, w.own, pkg.Path(), object.Name()))
	}
}

// The package's API fits on three screens.
func TestTheFaceFitsThreeScreens(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "doc", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(out), "\n"); lines > 150 {
		t.Errorf("go doc shows %d lines", lines)
	}
}
