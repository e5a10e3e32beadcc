package template

import (
	"iter"

	yaml "go.yaml.in/yaml/v3"
)

// target follows an alias. Once is enough: an alias never refers to an alias.
func target(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// get returns a member of a mapping, or nil.
func get(n *yaml.Node, name string) *yaml.Node {
	for key, value := range members(n) {
		if key == name {
			return value
		}
	}
	return nil
}

// members yields a mapping's names and values, and nothing if n is not a mapping.
func members(n *yaml.Node) iter.Seq2[string, *yaml.Node] {
	return func(yield func(string, *yaml.Node) bool) {
		n = target(n)
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i].Value, target(n.Content[i+1])) {
				return
			}
		}
	}
}

// text returns a scalar's text, or "" if n is not a scalar.
func text(n *yaml.Node) string {
	if n = target(n); n != nil && n.Kind == yaml.ScalarNode {
		return n.Value
	}
	return ""
}
