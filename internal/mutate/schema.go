package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// variable is the environment variable that selects the active mutation, by its number from 1 on.
const variable = "ESM_MUTATION"

// chooser is the file that is added to each package with mutations.
const chooser = `package %s

import (
	"os"
	"strconv"
)

var mutationInForce, _ = strconv.Atoi(os.Getenv("` + variable + `"))
`

// schema holds all mutations at once, so that each package's tests are built only once. Each mutation is a
// copy of its function, and the original calls the copy when that mutation is active.
type schema struct {
	overlay string // for go build's -overlay
	dir     string
}

// newSchema writes the files for the compiler. The caller must remove the schema's dir at the end.
func newSchema(src *source, all []mutation) (*schema, error) {
	dir, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return nil, err
	}
	s := &schema{dir: dir, overlay: filepath.Join(dir, "overlay.json")}
	heads, copies := make(map[*place]*bytes.Buffer), make(map[string]*bytes.Buffer)
	for i, m := range all {
		p, text, err := src.apply(m)
		if err != nil {
			return s, fmt.Errorf("%s: %w", m.name, err)
		}
		call, err := callOf(src, p, fmt.Sprint("Mutated", i+1))
		if err != nil {
			return s, fmt.Errorf("%s: %w", m.name, err)
		}
		if heads[p] == nil {
			heads[p] = new(bytes.Buffer)
		}
		if copies[p.file] == nil {
			copies[p.file] = new(bytes.Buffer)
		}
		fmt.Fprintf(heads[p], " if mutationInForce == %d { %s };", i+1, call)
		at := strings.Index(text, p.decl.Name.Name+"(")
		if p.decl.Type.TypeParams != nil {
			at = strings.Index(text, p.decl.Name.Name+"[")
		}
		end := at + len(p.decl.Name.Name)
		// This makes the compiler's errors name the mutation.
		fmt.Fprintf(copies[p.file], "\n//line %s:1\n%s%s%s\n", strings.ReplaceAll(m.name, ":", ";"), text[:end], fmt.Sprint("Mutated", i+1), text[end:])
	}
	return s, s.write(src, heads, copies)
}

// callOf returns the statement that calls a copy of a function.
func callOf(src *source, p *place, suffix string) (string, error) {
	text := func(n ast.Node) string {
		from := p.from + int(n.Pos()-p.decl.Type.Func)
		return string(src.files[p.file][from : from+int(n.End()-n.Pos())])
	}
	var args []string
	for _, f := range p.decl.Type.Params.List {
		if len(f.Names) == 0 {
			return "", fmt.Errorf("%s has a parameter without a name", p.decl.Name)
		}
		for _, name := range f.Names {
			arg := name.Name
			if arg == "_" {
				return "", fmt.Errorf("%s has a parameter without a name", p.decl.Name)
			}
			if _, variadic := f.Type.(*ast.Ellipsis); variadic {
				arg += "..."
			}
			args = append(args, arg)
		}
	}
	call := p.decl.Name.Name + suffix
	if p.decl.Recv != nil {
		if names := p.decl.Recv.List[0].Names; len(names) == 1 && names[0].Name != "_" {
			call = names[0].Name + "." + call
		} else {
			return "", fmt.Errorf("%s has a receiver without a name", p.decl.Name)
		}
	}
	if params := p.decl.Type.TypeParams; params != nil {
		var names []string
		for _, f := range params.List {
			for _, name := range f.Names {
				names = append(names, text(name))
			}
		}
		call += "[" + strings.Join(names, ", ") + "]"
	}
	call += "(" + strings.Join(args, ", ") + ")"
	if p.decl.Type.Results == nil {
		return call + "; return", nil
	}
	return "return " + call, nil
}

func (s *schema) write(src *source, heads map[*place]*bytes.Buffer, copies map[string]*bytes.Buffer) error {
	replace := make(map[string]string)
	add := func(path string, text []byte) error {
		absolute, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		file := filepath.Join(s.dir, fmt.Sprintf("%d.go", len(replace)))
		replace[absolute] = file
		return os.WriteFile(file, text, 0o600)
	}
	for _, path := range slices.Sorted(maps.Keys(copies)) {
		places := slices.DeleteFunc(slices.Collect(maps.Keys(heads)), func(p *place) bool { return p.file != path })
		slices.SortFunc(places, func(a, b *place) int { return a.opened - b.opened })
		var out bytes.Buffer
		last := 0
		for _, p := range places {
			out.Write(src.files[path][last : p.opened+1])
			out.Write(heads[p].Bytes())
			last = p.opened + 1
		}
		out.Write(src.files[path][last:])
		out.Write(copies[path].Bytes())
		if err := add(path, out.Bytes()); err != nil {
			return err
		}
		extra := filepath.Join(filepath.Dir(path), "mutation_in_force.go")
		if absolute, _ := filepath.Abs(extra); replace[absolute] == "" {
			if err := add(extra, fmt.Appendf(nil, chooser, src.packages[filepath.Dir(path)])); err != nil {
				return err
			}
		}
	}
	data, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		return err
	}
	return os.WriteFile(s.overlay, data, 0o600)
}
