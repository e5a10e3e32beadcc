package template

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v3"
)

// translation maps the names that a kind of template uses to the API's.
type translation struct {
	// moved maps a property to the path of the API's parameter.
	moved map[string]string
	// dropped are the paths of properties that only the template's own tool uses.
	dropped []string
}

var (
	cloudFormation = translation{moved: map[string]string{
		"KmsKeyArn": "KMSKeyArn",
		"SelfManagedEventSource.Endpoints.KafkaBootstrapServers": "SelfManagedEventSource.Endpoints.KAFKA_BOOTSTRAP_SERVERS",
	}}
	sam = translation{
		moved: map[string]string{
			"KmsKeyArn":             "KMSKeyArn",
			"KafkaBootstrapServers": "SelfManagedEventSource.Endpoints.KAFKA_BOOTSTRAP_SERVERS",
			"ConsumerGroupId":       "SelfManagedKafkaEventSourceConfig.ConsumerGroupId",
			"ConsumptionMode":       "SelfManagedKafkaEventSourceConfig.ConsumptionMode",
			"SchemaRegistryConfig":  "SelfManagedKafkaEventSourceConfig.SchemaRegistryConfig",
		},
		dropped: []string{"DestinationConfig.OnFailure.Type"},
	}
)

// Parameters that are not strings. A template may still write them as strings, and given values always are.
var (
	numbers = []string{"BatchSize", "MaximumBatchingWindowInSeconds", "MaximumRetryAttempts", "MaximumRecordAgeInSeconds", "StartingPositionTimestamp",
		"ProvisionedPollerConfig.MinimumPollers", "ProvisionedPollerConfig.MaximumPollers"}
	switches = []string{"Enabled", "BisectBatchOnFunctionError"}
)

// translate converts a template's properties to the API's document and records the line of each parameter.
func (t translation) translate(properties map[string]any, n *yaml.Node, lines map[string]int) map[string]any {
	document := make(map[string]any)
	t.walk(properties, n, "", document, lines)
	return document
}

func (t translation) walk(properties map[string]any, n *yaml.Node, path string, document map[string]any, lines map[string]int) {
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		value, node := properties[name], get(n, name)
		from := strings.TrimPrefix(path+"."+name, ".")
		if slices.Contains(t.dropped, from) {
			continue
		}
		to := from
		if moved, ok := t.moved[from]; ok {
			to = moved
		}
		if node != nil {
			lines[to] = node.Line
			for i, element := range node.Content {
				if node.Kind == yaml.SequenceNode {
					lines[to+"["+strconv.Itoa(i)+"]"] = target(element).Line
				}
			}
		}
		if inner, ok := value.(map[string]any); ok && from != "Tags" {
			put(document, to, map[string]any{})
			t.walk(inner, node, from, document, lines)
			continue
		}
		put(document, to, typed(to, value))
	}
}

// put sets the value at a path. It keeps what other properties have put into the same objects.
func put(document map[string]any, path string, value any) {
	for {
		name, rest, deeper := strings.Cut(path, ".")
		if !deeper {
			if _, isObject := value.(map[string]any); isObject && document[name] != nil {
				return
			}
			document[name] = value
			return
		}
		inner, ok := document[name].(map[string]any)
		if !ok {
			inner = make(map[string]any)
			document[name] = inner
		}
		document, path = inner, rest
	}
}

// typed converts a string to the type of its parameter.
func typed(path string, value any) any {
	if path == "Tags" {
		return tags(value)
	}
	s, ok := value.(string)
	switch {
	case !ok:
	case slices.Contains(numbers, path):
		if _, err := strconv.ParseFloat(s, 64); err == nil && json.Valid([]byte(s)) {
			return json.Number(s)
		}
	case slices.Contains(switches, path):
		if b, err := strconv.ParseBool(strings.ToLower(s)); err == nil {
			return b
		}
	}
	return value
}

// tags converts CloudFormation's list of Key and Value, or SAM's map, to the API's map.
func tags(value any) any {
	list, ok := value.([]any)
	if !ok {
		return value
	}
	out := make(map[string]any)
	for _, element := range list {
		tag, _ := element.(map[string]any)
		key, hasKey := tag["Key"].(string)
		text, hasValue := tag["Value"].(string)
		if !hasKey || !hasValue {
			return value
		}
		out[key] = text
	}
	return out
}
