package template

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v3"
)

// resolver turns nodes into values: map[string]any, []any, and string for every scalar, because parameters are strings
// too. Null and AWS::NoValue become nil.
type resolver struct {
	parameters *yaml.Node
	resources  *yaml.Node
	values     Values
	nodes      int // resolved so far
	errs       []error
}

// Limits on what a template with aliases can expand to.
const (
	maxDepth = 64
	maxNodes = 200_000
)

func newResolver(root, resources *yaml.Node, values Values) *resolver {
	return &resolver{parameters: get(root, "Parameters"), resources: resources, values: maps.Clone(values)}
}

func (r *resolver) fail(n *yaml.Node, path, reason string, err error) {
	line := 0
	if n != nil {
		line = n.Line
	}
	r.errs = append(r.errs, &Error{Line: line, Path: path, Reason: reason, Err: err})
}

func (r *resolver) resolve(n *yaml.Node, path string, depth int) any {
	n = target(n)
	if n == nil {
		return nil
	}
	if r.nodes++; depth > maxDepth || r.nodes > maxNodes {
		r.fail(n, path, "is nested too deeply, or too large", nil)
		return nil
	}
	if function, argument := intrinsic(n); function != "" {
		return r.call(function, argument, n, path, depth+1)
	}
	switch n.Kind {
	case yaml.MappingNode:
		out := make(map[string]any)
		for name, value := range members(n) {
			if v := r.resolve(value, path+"."+name, depth+1); v != nil {
				out[name] = v
			}
		}
		return out
	case yaml.SequenceNode:
		out := []any{}
		for i, element := range n.Content {
			if v := r.resolve(element, path+"["+strconv.Itoa(i)+"]", depth+1); v != nil {
				out = append(out, v)
			}
		}
		return out
	}
	if n.Tag == "!!null" {
		return nil
	}
	return n.Value
}

// intrinsic recognises a function in its short form (!Ref x) and its long form ({"Ref": "x"}). It returns "" if n is
// neither.
func intrinsic(n *yaml.Node) (function string, argument *yaml.Node) {
	if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		argument := *n
		argument.Tag = ""
		return strings.TrimPrefix(n.Tag, "!"), &argument
	}
	if n.Kind == yaml.MappingNode && len(n.Content) == 2 {
		name := n.Content[0].Value
		if short, ok := strings.CutPrefix(name, "Fn::"); ok {
			return short, target(n.Content[1])
		}
		if name == "Ref" {
			return name, target(n.Content[1])
		}
	}
	return "", nil
}

func (r *resolver) call(function string, argument, n *yaml.Node, path string, depth int) any {
	switch function {
	case "Ref":
		return r.ref(text(argument), n, path)
	case "GetAtt":
		name := text(argument)
		if argument.Kind == yaml.SequenceNode {
			var parts []string
			for _, part := range argument.Content {
				parts = append(parts, text(part))
			}
			name = strings.Join(parts, ".")
		}
		return r.attribute(name, n, path)
	case "Sub":
		return r.sub(argument, n, path, depth)
	case "Join":
		return r.join(argument, n, path, depth)
	}
	r.fail(n, path, "Fn::"+function+" is not evaluated here; write the value, or give it as a parameter", nil)
	return nil
}

func (r *resolver) ref(name string, n *yaml.Node, path string) any {
	parameter := get(r.parameters, name)
	kind := text(get(parameter, "Type"))
	value, known := r.values[name]
	if standard := get(parameter, "Default"); !known && standard != nil {
		value, known = text(standard), true
	}
	switch {
	case known && (kind == "CommaDelimitedList" || strings.HasPrefix(kind, "List<")):
		list := []any{}
		for part := range strings.SplitSeq(value, ",") {
			list = append(list, strings.TrimSpace(part))
		}
		return list
	case known:
		return value
	case name == "AWS::NoValue":
		return nil
	case name == "AWS::Partition":
		return "aws"
	case name == "AWS::URLSuffix":
		return "amazonaws.com"
	case r.isFunction(name):
		return r.functionName(name)
	}
	r.unresolved("Ref "+name, name, n, path)
	return nil
}

func (r *resolver) attribute(name string, n *yaml.Node, path string) any {
	if value, ok := r.values[name]; ok {
		return value
	}
	if id, isArn := strings.CutSuffix(name, ".Arn"); isArn && r.isFunction(id) {
		return r.functionName(id) // a mapping accepts the name in place of the ARN
	}
	r.unresolved("Fn::GetAtt "+name, name, n, path)
	return nil
}

func (r *resolver) unresolved(what, name string, n *yaml.Node, path string) {
	reason := what + " cannot be resolved: give a value for " + name
	if given := slices.Sorted(maps.Keys(r.values)); len(given) > 0 {
		reason += "; those given are for " + strings.Join(given, ", ")
	}
	r.fail(n, path, reason, nil)
}

// sub evaluates Fn::Sub: a text with ${names} in it, alone or with a map of more names.
func (r *resolver) sub(argument, n *yaml.Node, path string, depth int) any {
	more := map[string]any{}
	if argument.Kind == yaml.SequenceNode && len(argument.Content) == 2 {
		more, _ = r.resolve(argument.Content[1], path, depth).(map[string]any)
		argument = target(argument.Content[0])
	}
	if argument.Kind != yaml.ScalarNode {
		r.fail(n, path, "Fn::Sub: want a text, or a text and a map", nil)
		return nil
	}
	var out strings.Builder
	rest := argument.Value
	for {
		before, after, found := strings.Cut(rest, "${")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		name, behind, closed := strings.Cut(after, "}")
		if !closed {
			r.fail(n, path, "Fn::Sub: a ${ without its }", nil)
			return nil
		}
		rest = behind
		switch {
		case strings.HasPrefix(name, "!"): // ${!x} is a literal ${x}
			out.WriteString("${" + name[1:] + "}")
		case more[name] != nil:
			fmt.Fprint(&out, more[name])
		case strings.Contains(name, ".") && !strings.HasPrefix(name, "AWS::"):
			fmt.Fprint(&out, r.scalar(r.attribute(name, n, path)))
		default:
			fmt.Fprint(&out, r.scalar(r.ref(name, n, path)))
		}
	}
}

// scalar formats a value for use within a text. Elements of a list are joined with commas, as CloudFormation does.
func (r *resolver) scalar(value any) string {
	if list, ok := value.([]any); ok {
		var parts []string
		for _, v := range list {
			parts = append(parts, fmt.Sprint(v))
		}
		return strings.Join(parts, ",")
	}
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

// join evaluates Fn::Join: [separator, list].
func (r *resolver) join(argument, n *yaml.Node, path string, depth int) any {
	if argument.Kind == yaml.SequenceNode && len(argument.Content) == 2 {
		if list, ok := r.resolve(argument.Content[1], path, depth).([]any); ok {
			var parts []string
			for _, v := range list {
				parts = append(parts, r.scalar(v))
			}
			return strings.Join(parts, text(argument.Content[0]))
		}
	}
	r.fail(n, path, "Fn::Join: want [separator, [parts]]", nil)
	return nil
}

func (r *resolver) isFunction(id string) bool {
	switch text(get(get(r.resources, id), "Type")) {
	case "AWS::Lambda::Function", "AWS::Serverless::Function":
		return true
	}
	return false
}

// functionName returns the name of a function in the template. A reference to the function within its own name would
// recurse forever; it resolves to the logical ID instead.
func (r *resolver) functionName(id string) string {
	if value, ok := r.values[id]; ok {
		return value
	}
	property := get(get(get(r.resources, id), "Properties"), "FunctionName")
	if property == nil {
		return id
	}
	if r.values == nil {
		r.values = make(Values)
	}
	r.values[id] = id // while it is being resolved
	name := r.scalar(r.resolve(property, "Resources."+id+".Properties.FunctionName", 0))
	r.values[id] = name
	return name
}
