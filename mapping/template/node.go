package template

import (
	"iter"

	yaml "go.yaml.in/yaml/v3"
)

// target follows an alias, once: what an alias leads to is no alias.
func target(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// get returns a member of a mapping, nil where it is not there.
func get(n *yaml.Node, name string) *yaml.Node {
	for key, value := range members(n) {
		if key == name {
			return value
		}
	}
	return nil
}

// members are a mapping's names and values, none for what is no mapping.
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

// text is a scalar's, "" for what is none.
func text(n *yaml.Node) string {
	if n = target(n); n != nil && n.Kind == yaml.ScalarNode {
		return n.Value
	}
	return ""
}
