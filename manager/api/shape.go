package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// shape is what AWS's model of the API (botocore's service-2.json of 2015-03-31) says about a value. Requests are
// checked against it before anything else, as by AWS's front end.
type shape struct {
	kind     string // "string", "integer", "boolean", "timestamp", "list", "structure" or "map"
	min, max int    // of a number or of a length; valid if bounded is set
	bounded  bool
	pattern  *regexp.Regexp
	asAWS    string // the pattern as AWS writes it
	enum     []string
	required []string
	members  map[string]*shape // of a structure
	element  *shape            // of a list, and of a map's values
	key      *shape            // of a map
}

func text(least, most int, pattern string) *shape {
	s := &shape{kind: "string", min: least, max: most, bounded: true, asAWS: pattern}
	if pattern != "" {
		s.pattern = regexp.MustCompile(`^(?:` + pattern + `)$`)
	}
	return s
}

func oneOf(values ...string) *shape { return &shape{kind: "string", enum: values} }

func integer(least, most int) *shape {
	return &shape{kind: "integer", min: least, max: most, bounded: true}
}

func list(element *shape, most int) *shape {
	return &shape{kind: "list", element: element, max: most, bounded: most > 0}
}

func structure(members map[string]*shape) *shape { return &shape{kind: "structure", members: members} }

// violations collects violated constraints, and values of the wrong type.
type violations struct {
	texts []string
	kinds []string
}

func (v *violations) add(value, path, constraint string) {
	v.texts = append(v.texts, fmt.Sprintf("Value %s at '%s' failed to satisfy constraint: %s", value, path, constraint))
}

// err returns AWS's answer to the violations, or nil if there are none.
func (v *violations) err() error {
	switch n := len(v.texts); {
	case len(v.kinds) > 0:
		return serialization(strings.Join(v.kinds, "; "))
	case n == 0:
		return nil
	case n == 1:
		return validation("1 validation error detected: " + v.texts[0])
	default:
		return validation(fmt.Sprintf("%d validation errors detected: %s", n, strings.Join(v.texts, "; ")))
	}
}

// check checks a value, decoded by encoding/json with UseNumber, against the shape. null counts as absent.
func (s *shape) check(value any, path string, v *violations) {
	if value == nil {
		return
	}
	wrong := func(want string) {
		v.kinds = append(v.kinds, fmt.Sprintf("%s: found %s, want %s", path, kindOf(value), want))
	}
	switch s.kind {
	case "string":
		if t, ok := value.(string); ok {
			s.text(t, path, v)
		} else {
			wrong("a string")
		}
	case "integer":
		n, ok := value.(json.Number)
		f, err := n.Float64()
		if !ok || err != nil || f != math.Trunc(f) {
			wrong("a whole number")
			return
		}
		s.number(f, n.String(), path, v)
	case "boolean":
		if _, ok := value.(bool); !ok {
			wrong("true or false")
		}
	case "timestamp":
		switch value.(type) {
		case json.Number, string:
		default:
			wrong("seconds since the Unix epoch")
		}
	case "list":
		elements, ok := value.([]any)
		if !ok {
			wrong("an array")
			return
		}
		if s.bounded && len(elements) > s.max {
			v.add(quote(elements), path, fmt.Sprintf("Member must have length less than or equal to %d", s.max))
		}
		for i, element := range elements {
			s.element.check(element, path+"."+strconv.Itoa(i+1)+".member", v)
		}
	case "map", "structure":
		members, ok := value.(map[string]any)
		if !ok {
			wrong("an object")
			return
		}
		s.checkMembers(members, path, v)
	}
}

func (s *shape) checkMembers(members map[string]any, path string, v *violations) {
	if path != "" {
		path += "."
	}
	for _, name := range s.required {
		if members[name] == nil {
			v.add("null", path+lowerFirst(name), "Member must not be null")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if s.kind == "map" {
			s.key.check(name, strings.TrimSuffix(path, "."), v)
			s.element.check(members[name], path+name+".member", v)
		} else if m := s.members[name]; m != nil {
			m.check(members[name], path+lowerFirst(name), v)
		}
	}
}

func (s *shape) text(t, path string, v *violations) {
	if s.enum != nil {
		if !slices.Contains(s.enum, t) {
			v.add(quote(t), path, "Member must satisfy enum value set: ["+strings.Join(s.enum, ", ")+"]")
		}
		return
	}
	if n := utf8.RuneCountInString(t); s.bounded {
		if n < s.min {
			v.add(quote(t), path, fmt.Sprintf("Member must have length greater than or equal to %d", s.min))
		}
		if n > s.max {
			v.add(quote(t), path, fmt.Sprintf("Member must have length less than or equal to %d", s.max))
		}
	}
	if s.pattern != nil && !s.pattern.MatchString(t) {
		v.add(quote(t), path, "Member must satisfy regular expression pattern: "+s.asAWS)
	}
}

func (s *shape) number(n float64, given, path string, v *violations) {
	switch {
	case n < float64(s.min):
		v.add("'"+given+"'", path, fmt.Sprintf("Member must have value greater than or equal to %d", s.min))
	case n > float64(s.max):
		v.add("'"+given+"'", path, fmt.Sprintf("Member must have value less than or equal to %d", s.max))
	}
}

// quote formats a value as AWS does, and truncates a long one.
func quote(value any) string {
	t := fmt.Sprint(value)
	if elements, ok := value.([]any); ok {
		var parts []string
		for _, element := range elements {
			parts = append(parts, fmt.Sprint(element))
		}
		t = "[" + strings.Join(parts, ", ") + "]"
	}
	const most = 1000
	if len(t) > most {
		t = strings.ToValidUTF8(t[:most], "") + "…"
	}
	return "'" + t + "'"
}

func lowerFirst(name string) string {
	if name == "" {
		return name
	}
	return strings.ToLower(name[:1]) + name[1:]
}

// kindOf names the type of a JSON value.
func kindOf(value any) string {
	switch v := value.(type) {
	case bool:
		return "a boolean"
	case json.Number:
		return "the number " + v.String()
	case string:
		return "a string"
	case []any:
		return "an array"
	}
	return "an object"
}
