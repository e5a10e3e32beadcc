// Package template reads mappings from CloudFormation and SAM templates, in YAML or JSON:
// AWS::Lambda::EventSourceMapping resources with a SelfManagedEventSource, and the SelfManagedKafka events of
// AWS::Serverless::Function. It also checks templates and mapping files.
//
// Parameters, Ref, Fn::Sub, Fn::GetAtt and Fn::Join are resolved, in both of their forms, from the given values, from
// the parameters' defaults, and within the template: a Ref or an Arn of a function of the template is its FunctionName,
// or its logical ID if it has none. A reference that cannot be resolved is an error that names it. Conditions and
// transforms are not evaluated: every resource counts.
package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	yaml "go.yaml.in/yaml/v3"

	"github.com/esm-go/esm"
)

// Values holds what references resolve to. A key is the name of a parameter, a pseudo parameter ("AWS::Region"), the
// logical ID of a resource (for Ref), or a logical ID and an attribute ("KafkaSecret.Arn", for Fn::GetAtt).
type Values map[string]string

// Resource is a mapping in a template.
type Resource struct {
	// LogicalID is that of the resource, or of a function and its event: "OrdersFunction.KafkaEvent".
	LogicalID string
	// Line is its line in the template.
	Line    int
	Mapping esm.Mapping
	lines   map[string]int // by the path of a parameter
}

// Error is one error in a template.
type Error struct {
	// Line is its line, from 1; 0 if unknown.
	Line int
	// Path leads to it, such as "Resources.Orders.Properties.Topics[0]".
	Path string
	// Reason says what is wrong and what to do.
	Reason string
	// Err is the cause, or nil.
	Err error
}

// Error names the line, the path and the reason.
func (e *Error) Error() string {
	text := e.Reason
	if e.Path != "" {
		text = e.Path + ": " + text
	}
	if e.Line > 0 {
		text = fmt.Sprintf("line %d: %s", e.Line, text)
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// maxTemplate bounds a template, as CloudFormation does (1 MB, from S3).
const maxTemplate = 1 << 20

// FromTemplate returns the mappings of a template, in the template's order. It does not validate them; esm.New and
// Check do. Its error joins one *Error for everything that is wrong; correct mappings are returned along with it.
func FromTemplate(data []byte, values Values) ([]Resource, error) {
	root, err := parse(data)
	if err != nil {
		return nil, err
	}
	resources := get(root, "Resources")
	if resources == nil || resources.Kind != yaml.MappingNode {
		return nil, &Error{Line: root.Line, Reason: "this is not a template: it has no Resources"}
	}
	r := newResolver(root, resources, values)
	var found []Resource
	for id, resource := range members(resources) {
		path := "Resources." + id
		switch kind := get(resource, "Type"); text(kind) {
		case "AWS::Lambda::EventSourceMapping":
			properties := get(resource, "Properties")
			if get(properties, "SelfManagedEventSource") == nil {
				continue // of another source
			}
			found = r.read(found, id, path+".Properties", properties, cloudFormation, nil)
		case "AWS::Serverless::Function":
			for name, event := range members(get(get(resource, "Properties"), "Events")) {
				if text(get(event, "Type")) != "SelfManagedKafka" {
					continue
				}
				function := r.functionName(id)
				found = r.read(found, id+"."+name, path+".Properties.Events."+name+".Properties", get(event, "Properties"), sam, map[string]any{"FunctionName": function})
			}
		}
	}
	return found, errors.Join(r.errs...)
}

// IsTemplate reports whether data is a template rather than a mapping: whether it has Resources.
func IsTemplate(data []byte) bool {
	root, err := parse(data)
	return err == nil && get(root, "Resources") != nil
}

// parse reads YAML. JSON is a subset of it, except for tabs.
func parse(data []byte) (*yaml.Node, error) {
	if len(data) > maxTemplate {
		return nil, &Error{Reason: fmt.Sprintf("has %d bytes; a template may have %d", len(data), maxTemplate)}
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		data = bytes.ReplaceAll(data, []byte("\t"), []byte(" ")) // strings in JSON contain none
	}
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return nil, &Error{Reason: "is neither YAML nor JSON: " + strings.TrimPrefix(err.Error(), "yaml: "), Err: err}
	}
	if len(document.Content) == 0 || document.Content[0].Kind != yaml.MappingNode {
		return nil, &Error{Reason: "is empty, or no mapping of names to values"}
	}
	return document.Content[0], nil
}

// read appends the mapping that a resource's properties describe.
func (r *resolver) read(found []Resource, id, path string, properties *yaml.Node, names translation, more map[string]any) []Resource {
	if properties == nil || properties.Kind != yaml.MappingNode {
		r.fail(properties, path, "is missing: the parameters of the mapping", nil)
		return found
	}
	before := len(r.errs)
	resolved, _ := r.resolve(properties, path, 0).(map[string]any)
	lines := make(map[string]int)
	document := names.translate(resolved, properties, lines)
	maps.Copy(document, more)
	if len(r.errs) > before {
		return found
	}
	encoded, err := json.Marshal(document)
	if err != nil {
		r.fail(properties, path, err.Error(), err)
		return found
	}
	mapping, err := esm.ParseMapping(encoded)
	if err != nil {
		for _, err := range joined(err) {
			line, reason := properties.Line, err.Error()
			if f, ok := errors.AsType[*esm.FieldError](err); ok {
				line, reason = lineOf(lines, f.Field, line), f.Field+": "+f.Reason
			}
			r.errs = append(r.errs, &Error{Line: line, Path: path, Reason: reason, Err: err})
		}
		return found
	}
	return append(found, Resource{LogicalID: id, Line: properties.Line, Mapping: mapping, lines: lines})
}

// lineOf returns the line of a parameter, or of the nearest parent with a known line.
func lineOf(lines map[string]int, field string, otherwise int) int {
	for field != "" {
		if line, ok := lines[field]; ok {
			return line
		}
		i := strings.LastIndexAny(field, ".[")
		if i < 0 {
			break
		}
		field = field[:i]
	}
	return otherwise
}

// joined returns the parts of an error made by errors.Join.
func joined(err error) []error {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		var texts []string
		for _, err := range many.Unwrap() {
			all, texts = append(all, joined(err)...), append(texts, err.Error())
		}
		if err.Error() == strings.Join(texts, "\n") { // fmt.Errorf's says more
			return all
		}
	}
	return []error{err}
}
