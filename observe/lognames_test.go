package observe_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/build"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// attribute is one attribute of a log line in the source.
type attribute struct{ key, kind, at string }

// logAttributes type-checks the packages of this module and returns every attribute of their log lines.
func logAttributes(t *testing.T) (all []attribute) {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,CgoFiles,Standard,Module", "../...")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	type pkg struct {
		ImportPath, Dir, Export string
		GoFiles, CgoFiles       []string
		Module                  *struct{ Main bool }
	}
	exports := make(map[string]string)
	var ours []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		if p.Module != nil && p.Module.Main {
			ours = append(ours, p)
		}
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	for _, p := range ours {
		var files []*ast.File
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles) {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		info := &types.Info{Types: make(map[ast.Expr]types.TypeAndValue), Uses: make(map[*ast.Ident]types.Object), Selections: make(map[*ast.SelectorExpr]*types.Selection)}
		config := types.Config{Importer: imports, FakeImportC: true, Error: func(err error) {
			if len(p.CgoFiles) == 0 {
				t.Error(err)
			}
		}}
		_, _ = config.Check(p.ImportPath, fset, files, info) // reported by config.Error
		for _, f := range files {
			ast.Inspect(f, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					all = append(all, attributesOf(fset, info, call)...)
				}
				return true
			})
		}
	}
	return all
}

// attributesOf returns the attributes in one call: of slog's constructors, and of functions that take a line's text
// followed by pairs.
func attributesOf(fset *token.FileSet, info *types.Info, call *ast.CallExpr) (all []attribute) {
	var name *ast.Ident
	switch f := ast.Unparen(call.Fun).(type) {
	case *ast.SelectorExpr:
		name = f.Sel
	case *ast.Ident:
		name = f
	default:
		return nil
	}
	f, ok := info.Uses[name].(*types.Func)
	if !ok || f.Pkg() == nil || call.Ellipsis != token.NoPos {
		return nil
	}
	s := f.Signature()
	add := func(key, value ast.Expr) {
		if k := info.Types[key].Value; k != nil && k.Kind() == constant.String {
			all = append(all, attribute{constant.StringVal(k), kindOf(info.Types[value].Type), fset.Position(call.Pos()).String()})
		}
	}
	if slogs := f.Pkg().Path() == "log/slog"; slogs && s.Recv() == nil && len(call.Args) == 2 {
		add(call.Args[0], call.Args[1])
		return all
	} else if !slogs && !strings.HasPrefix(f.Pkg().Path(), "github.com/esm-go/esm") || !slices.Contains([]string{"Debug", "Info", "Warn", "Error", "Log", "With", "say"}, f.Name()) || !s.Variadic() {
		return nil
	}
	for i := s.Params().Len() - 1; i+1 < len(call.Args); i += 2 {
		if kindOf(info.Types[call.Args[i]].Type) == "slog.Attr" {
			i--
			continue
		}
		add(call.Args[i], call.Args[i+1])
	}
	return all
}

// kindOf returns the kind of a value as a reader of the log sees it.
func kindOf(t types.Type) string {
	if t == nil {
		return "unknown"
	}
	switch full := t.String(); {
	case full == "time.Duration":
		return "duration"
	case full == "time.Time":
		return "time"
	case types.Implements(t, types.Universe.Lookup("error").Type().Underlying().(*types.Interface)): //nolint:forcetypeassert // it is one
		return "error"
	}
	if b, ok := t.Underlying().(*types.Basic); ok {
		switch {
		case b.Info()&types.IsString != 0:
			return "text"
		case b.Info()&types.IsNumeric != 0:
			return "number"
		case b.Info()&types.IsBoolean != 0:
			return "yes or no"
		}
	}
	return types.TypeString(t, func(p *types.Package) string { return p.Name() })
}

// logNames are the names in log lines: one name for one thing, with one kind of value. A parameter or field of AWS has
// AWS's name.
var logNames = map[string]string{
	// The mapping.
	"BatchSize": "number", "ConsumerGroupId": "text", "Enabled": "yes or no", "FunctionName": "text", "LastProcessingResult": "text",
	"StartingPosition": "text", "State": "text", "Topics": "[]string", "UUID": "text", "before": "text", "result": "text", "source": "text",
	// Records: "partition" is one partition as topic-number, "batch" the offsets of each, "partitions" their number;
	// "from" and "to" are offsets.
	"batch": "map[string]observe.OffsetRange", "first": "number", "from": "number", "last": "number", "lost": "number", "of": "number", "offset": "number",
	"partition": "text", "partitions": "number", "records": "number", "to": "number", "topic": "text",
	"at": "text", "operation": "text", "position": "text",
	// Invocations: "attempts" counts those that use up an attempt, "invocations" all; "retry" is a group of the names
	// here.
	"attempts": "number", "inFlight": "number", "invocations": "number", "items": "number", "retry": "observe.RetryInfo", "condition": "text",
	// Conditions and errors. "after" is the time until the next attempt.
	"after": "duration", "cause": "text", "conditions": "number", "count": "number", "detail": "text", "ended": "number", "err": "error", "hint": "text", "kind": "text",
	"lasted": "duration", "op": "text", "others": "[]string", "reason": "text", "since": "time", "unsaid": "number", "warning": "text",
	// Connections and workers.
	"bootstrap": "text", "bound": "duration", "bufferBytes": "number", "client": "text", "credentials": "text", "decision": "text", "driver": "text", "event": "text",
	"mechanism": "text", "need": "number", "page": "text", "path": "text", "pollers": "number", "pollersBefore": "number", "principal": "text", "protocol": "text",
	"reading": "text", "tag": "text", "version": "text",
	// Functions and their workers: "function" is the name or ARN that is invoked.
	"code": "text", "errorMessage": "text", "errorType": "text", "executedVersion": "text", "failures": "number", "function": "text", "requestId": "text",
	"stackTrace": "text", "stream": "text", "worker": "number",
}

// otherNames must not be used for a thing that has a name above.
var otherNames = []string{"error", "e", "tp", "topicPartition", "topic-partition", "group", "consumerGroup", "consumer_group", "uuid", "id", "mapping", "function_name", "functionName",
	"batchSize", "n", "num", "size", "start", "end", "low", "high", "why", "attempt", "tries", "retries", "wait", "delay", "backoff", "in", "next", "duration", "took", "elapsed",
	"begin", "began", "time", "level", "msg", "state", "offsets"}

// Log attributes have one name for one thing in all packages of this module. The poller's log has AWS's fields, and
// lines of a client or a worker keep their own names.
func TestLogNames(t *testing.T) {
	found := make(map[string]bool)
	for _, a := range logAttributes(t) {
		if strings.Contains(a.at, filepath.Join("observe", "pollerlog")) {
			continue
		}
		found[a.key] = true
		switch want, ok := logNames[a.key]; {
		case !ok:
			t.Errorf("%s: %q is in no line so far: take the name that the thing has, or add one to logNames", a.at, a.key)
		case want != a.kind:
			t.Errorf("%s: %q is a %s here, and a %s elsewhere", a.at, a.key, a.kind, want)
		}
	}
	lower := make(map[string]string)
	for key := range logNames {
		if !found[key] && build.Default.CgoEnabled { // without cgo the lines of driver/confluent are missing
			t.Errorf("%q is in no line", key)
		}
		if slices.Contains(otherNames, key) {
			t.Errorf("%q has another name", key)
		}
		small := strings.ToLower(strings.ReplaceAll(key, "_", ""))
		if other, twice := lower[small]; twice {
			t.Errorf("%q and %q are one name", key, other)
		}
		lower[small] = key
	}
}
