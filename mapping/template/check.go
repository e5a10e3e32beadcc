package template

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v3"

	"github.com/esm-go/esm"
)

// Level is the severity of a Finding.
type Level string

// The levels.
const (
	// Wrong means that esm refuses it.
	Wrong Level = "error"
	// Differs means that esm accepts it and AWS Lambda does not.
	Differs Level = "differs on Lambda"
)

// Finding is one result of Check.
type Finding struct {
	// Line is its line, from 1; 0 if unknown.
	Line int
	// Where is the LogicalID of a mapping in a template; it is empty for a mapping file.
	Where string
	Level Level
	// Text names the parameter, what is wrong with it and what to do.
	Text string
}

// String returns one line in the form of a compiler error, to follow a file's name and a colon.
func (f Finding) String() string {
	where := ""
	if f.Where != "" {
		where = f.Where + ": "
	}
	return fmt.Sprintf("%d: %s: %s%s", f.Line, f.Level, where, f.Text)
}

// Check validates a mapping file (the JSON of CreateEventSourceMapping) or a template, and also reports what AWS Lambda
// would not accept. It returns the number of mappings and the findings.
func Check(data []byte, values Values) (mappings int, findings []Finding) {
	if !IsTemplate(data) {
		m, err := esm.ParseMapping(data)
		lines := make(map[string]int)
		if root, parseErr := parse(data); parseErr == nil {
			translation{}.locate(root, "", lines)
		}
		if err != nil {
			return 0, wrongs(err, "", lines, 1)
		}
		return 1, check(Resource{Line: 1, Mapping: m, lines: lines})
	}
	resources, err := FromTemplate(data, values)
	for _, err := range joined(err) {
		e, ok := errors.AsType[*Error](err)
		if !ok {
			e = &Error{Reason: err.Error()}
		}
		text := e.Reason
		if e.Path != "" {
			text = e.Path + ": " + e.Reason
		}
		findings = append(findings, Finding{Line: e.Line, Level: Wrong, Text: text})
	}
	for _, r := range resources {
		findings = append(findings, check(r)...)
	}
	return len(resources), findings
}

// check validates a mapping, first with esm's limits, then with AWS's.
func check(r Resource) []Finding {
	findings := wrongs(r.Mapping.Validate(), r.LogicalID, r.lines, r.Line)
	known := make(map[string]bool)
	for _, f := range findings {
		known[f.Text] = true
	}
	for _, f := range wrongs(r.Mapping.ValidateStrict(), r.LogicalID, r.lines, r.Line) {
		if !known[f.Text] {
			f.Level = Differs
			findings = append(findings, f)
		}
	}
	return findings
}

func wrongs(err error, where string, lines map[string]int, otherwise int) []Finding {
	var findings []Finding
	for _, err := range joined(err) {
		f := Finding{Line: otherwise, Where: where, Level: Wrong, Text: strings.TrimPrefix(err.Error(), "esm: ")}
		if field, ok := errors.AsType[*esm.FieldError](err); ok {
			f.Line = lineOf(lines, field.Field, otherwise)
		}
		findings = append(findings, f)
	}
	return findings
}

// locate records the line of each parameter of a mapping file.
func (t translation) locate(n *yaml.Node, path string, lines map[string]int) {
	for name, value := range members(n) {
		field := strings.TrimPrefix(path+"."+name, ".")
		lines[field] = value.Line
		t.locate(value, field, lines)
		if value.Kind == yaml.SequenceNode {
			for i, element := range value.Content {
				element = target(element)
				lines[field+"["+strconv.Itoa(i)+"]"] = element.Line
				t.locate(element, field+"["+strconv.Itoa(i)+"]", lines)
			}
		}
	}
}
