package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	yaml "go.yaml.in/yaml/v3"

	"github.com/esm-go/esm/manager"
)

// serviceConfig is the content of the functions file.
type serviceConfig struct {
	file      string
	functions []functionConfig
	secrets   secretsConfig
	allowed   manager.Allowed
}

// functionConfig is one function. Exactly one of url, lambda and command is set.
type functionConfig struct {
	line      int
	path      string // of the field, such as functions[0]
	name      string
	url       string
	lambda    string
	command   []string
	directory string
	variables map[string]string
	timeout   time.Duration
	workers   int
	memoryMB  int
}

// secretsConfig says which stores of secrets are used.
type secretsConfig struct {
	files    string
	env, aws bool
}

// configReader reads a YAML document and collects the errors, with line and field.
type configReader struct {
	file string
	errs []error
}

func (r *configReader) refusef(n *yaml.Node, path, format string, args ...any) {
	if path != "" {
		path += ": "
	}
	r.errs = append(r.errs, fmt.Errorf("%s:%d: %s%s", r.file, n.Line, path, fmt.Sprintf(format, args...)))
}

// object reads a mapping with known keys.
func (r *configReader) object(n *yaml.Node, path string, fields map[string]func(n *yaml.Node, path string)) (given map[string]bool) {
	given = make(map[string]bool)
	if n.Kind != yaml.MappingNode {
		r.refusef(n, path, "want names and values, such as name: orders")
		return given
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		field := strings.TrimPrefix(path+"."+key.Value, ".")
		read, known := fields[key.Value]
		switch {
		case !known:
			var names []string
			for name := range fields {
				names = append(names, name)
			}
			slices.Sort(names)
			r.refusef(key, field, "is not known here; there are %s", strings.Join(names, ", "))
		case given[key.Value]:
			r.refusef(key, field, "is given twice")
		default:
			read(value, field)
		}
		given[key.Value] = true
	}
	return given
}

func (r *configReader) list(n *yaml.Node, path string, each func(n *yaml.Node, path string)) {
	if n.Kind != yaml.SequenceNode {
		r.refusef(n, path, "want a list, such as [a, b]")
		return
	}
	for i, element := range n.Content {
		each(element, fmt.Sprintf("%s[%d]", path, i))
	}
}

func (r *configReader) text(to *string) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || n.Value == "" {
			r.refusef(n, path, "want a text")
			return
		}
		*to = n.Value
	}
}

func (r *configReader) texts(to *[]string) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		*to = []string{} // an empty list is not the same as no list
		r.list(n, path, func(n *yaml.Node, path string) {
			var one string
			r.text(&one)(n, path)
			*to = append(*to, one)
		})
	}
}

func (r *configReader) flag(to *bool) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		if n.Kind != yaml.ScalarNode || n.Decode(to) != nil {
			r.refusef(n, path, "want true or false")
		}
	}
}

func (r *configReader) number(to *int) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		if n.Kind != yaml.ScalarNode || n.Decode(to) != nil || *to < 1 {
			r.refusef(n, path, "want a number, 1 or more")
		}
	}
}

func (r *configReader) duration(to *time.Duration) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		d, err := time.ParseDuration(n.Value)
		if err != nil || d <= 0 {
			r.refusef(n, path, "want a duration, such as 30s")
		}
		*to = d
	}
}

func (r *configReader) variables(to *map[string]string) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		*to = make(map[string]string)
		if n.Kind != yaml.MappingNode {
			r.refusef(n, path, "want names and values, such as {STAGE: test}")
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i+1].Kind != yaml.ScalarNode {
				r.refusef(n.Content[i+1], path+"."+n.Content[i].Value, "want a text")
			}
			(*to)[n.Content[i].Value] = n.Content[i+1].Value
		}
	}
}

// readServiceConfig reads a functions file. Its error joins all errors, each with file, line and field.
func readServiceConfig(file string) (*serviceConfig, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	c, r := &serviceConfig{file: file}, &configReader{file: file}
	if len(document.Content) == 0 {
		return nil, fmt.Errorf("%s:1: functions: is missing: the list of functions", file)
	}
	root := document.Content[0]
	names := make(map[string]int)
	given := r.object(root, "", map[string]func(*yaml.Node, string){
		"functions": func(n *yaml.Node, path string) {
			r.list(n, path, func(n *yaml.Node, path string) {
				f := r.function(n, path, filepath.Dir(file))
				if first, twice := names[f.name]; twice && f.name != "" {
					r.refusef(n, path+".name", "%q is already the function in line %d", f.name, first)
				}
				names[f.name] = n.Line
				c.functions = append(c.functions, f)
			})
		},
		"secrets": func(n *yaml.Node, path string) {
			r.object(n, path, map[string]func(*yaml.Node, string){
				"files": r.text(&c.secrets.files), "env": r.flag(&c.secrets.env), "aws": r.flag(&c.secrets.aws),
			})
		},
		"allowed": func(n *yaml.Node, path string) {
			r.object(n, path, map[string]func(*yaml.Node, string){
				"servers": r.texts(&c.allowed.Servers), "secrets": r.texts(&c.allowed.Secrets),
				"destinations": r.texts(&c.allowed.Destinations), "registries": r.texts(&c.allowed.Registries),
			})
		},
	})
	if !given["functions"] {
		r.refusef(root, "functions", "is missing: the list of functions")
	}
	if c.secrets.files != "" && !filepath.IsAbs(c.secrets.files) {
		c.secrets.files = filepath.Join(filepath.Dir(file), c.secrets.files)
	}
	return c, errors.Join(r.errs...)
}

// function reads one function. A relative directory is relative to base.
func (r *configReader) function(n *yaml.Node, path, base string) functionConfig {
	f := functionConfig{line: n.Line, path: path}
	given := r.object(n, path, map[string]func(*yaml.Node, string){
		"name": r.text(&f.name), "url": r.text(&f.url), "lambda": r.text(&f.lambda), "timeout": r.duration(&f.timeout),
		"runtime": func(n *yaml.Node, path string) {
			given := r.object(n, path, map[string]func(*yaml.Node, string){
				"command": r.texts(&f.command), "directory": r.text(&f.directory), "environment": r.variables(&f.variables),
				"workers": r.number(&f.workers), "memory": r.number(&f.memoryMB),
			})
			if !given["command"] {
				r.refusef(n, path+".command", "is missing: what starts a worker, such as [python3, -m, awslambdaric, app.handler]")
			}
		},
	})
	if n.Kind != yaml.MappingNode {
		return f
	}
	if !given["name"] {
		r.refusef(n, path+".name", "is missing: what mappings call the function")
	}
	targets := 0
	for _, target := range []string{"runtime", "url", "lambda"} {
		if given[target] {
			targets++
		}
	}
	if targets != 1 {
		r.refusef(n, path, "want one of runtime, url and lambda: what is invoked")
	}
	if given["timeout"] && given["lambda"] {
		r.refusef(n, path+".timeout", "is the function's own on Lambda; leave it out")
	}
	if f.directory == "" {
		f.directory = base
	} else if !filepath.IsAbs(f.directory) {
		f.directory = filepath.Join(base, f.directory)
	}
	return f
}
