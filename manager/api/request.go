package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/manager/store"
)

// parse parses a body that is a JSON object. An empty body is an empty object.
func parse(body []byte) (map[string]any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return map[string]any{}, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	err := decoder.Decode(&value)
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something follows the JSON document")
		}
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, serialization("The request body is not JSON: it ends in the middle.")
	case err != nil:
		return nil, serialization("The request body is not JSON: " + store.Position(body, err).Error())
	}
	members, ok := value.(map[string]any)
	if !ok {
		return nil, serialization("The request body is not a JSON object: found " + kindOf(value))
	}
	return members, nil
}

// checkDocument checks a body against a shape.
func checkDocument(body []byte, s *shape) error {
	members, err := parse(body)
	if err != nil {
		return err
	}
	v := new(violations)
	s.checkMembers(members, "", v)
	if err := v.err(); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if s.members[name] == nil {
			return invalidParameter(name+" is not a parameter of this operation; there are "+strings.Join(slices.Sorted(maps.Keys(s.members)), ", "), "")
		}
	}
	return nil
}

// decode parses the parameters of Create or Update, and returns which of them the body has.
func decode(body []byte, s *shape) (esm.Mapping, map[string]bool, error) {
	members, err := parse(body)
	if err != nil {
		return esm.Mapping{}, nil, err
	}
	v := new(violations)
	s.checkMembers(members, "", v)
	if err := v.err(); err != nil {
		return esm.Mapping{}, nil, err
	}
	present := make(map[string]bool)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		switch {
		case s.members[name] == nil && createShape.members[name] != nil:
			return esm.Mapping{}, nil, invalidParameter(name+" cannot be updated; delete the mapping and create another", "")
		case s.members[name] == nil && ours(name):
			return esm.Mapping{}, nil, invalidParameter(name+" is not a parameter of this operation; there are "+strings.Join(slices.Sorted(maps.Keys(s.members)), ", "), "")
		case members[name] != nil:
			present[name] = true
		}
	}
	if len(members) == 0 {
		return esm.Mapping{}, present, nil
	}
	mapping, err := esm.ParseMapping(body)
	if err != nil {
		return esm.Mapping{}, nil, parameterFailure(err)
	}
	return mapping, present, nil
}

// ours reports whether esm.ParseMapping accepts a name that is not a parameter of a request: UUID, and members that
// only answers have.
func ours(name string) bool {
	_, err := esm.ParseMapping([]byte(`{` + string(mustJSON(name)) + `:"x"}`))
	return err == nil
}

func mustJSON(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		return []byte(`""`)
	}
	return b
}

// merge applies the parameters of an update to a mapping. Each replaces the old value as a whole; an empty one removes
// it.
func merge(m *esm.Mapping, changes esm.Mapping, present map[string]bool) error {
	set := map[string]func(){
		"FunctionName":                   func() { m.FunctionName = changes.FunctionName },
		"Enabled":                        func() { m.Enabled = changes.Enabled },
		"BatchSize":                      func() { m.BatchSize = changes.BatchSize },
		"KMSKeyArn":                      func() { m.KMSKeyArn = changes.KMSKeyArn },
		"MaximumBatchingWindowInSeconds": func() { m.MaximumBatchingWindowInSeconds = changes.MaximumBatchingWindowInSeconds },
		"MaximumRecordAgeInSeconds":      func() { m.MaximumRecordAgeInSeconds = changes.MaximumRecordAgeInSeconds },
		"BisectBatchOnFunctionError":     func() { m.BisectBatchOnFunctionError = changes.BisectBatchOnFunctionError },
		"MaximumRetryAttempts":           func() { m.MaximumRetryAttempts = changes.MaximumRetryAttempts },
		"SourceAccessConfigurations":     func() { m.SourceAccessConfigurations = changes.SourceAccessConfigurations },
		"FunctionResponseTypes":          func() { m.FunctionResponseTypes = changes.FunctionResponseTypes },
		"FilterCriteria":                 func() { m.FilterCriteria = changes.FilterCriteria },
		"DestinationConfig":              func() { m.DestinationConfig = changes.DestinationConfig },
		"MetricsConfig":                  func() { m.MetricsConfig = changes.MetricsConfig },
		"LoggingConfig":                  func() { m.LoggingConfig = changes.LoggingConfig },
		"ProvisionedPollerConfig": func() {
			m.ProvisionedPollerConfig = changes.ProvisionedPollerConfig
			if *m.ProvisionedPollerConfig == (esm.ProvisionedPollerConfig{}) {
				m.ProvisionedPollerConfig = nil // back to one poller
			}
		},
		"SelfManagedKafkaEventSourceConfig": func() {
			group := m.SelfManagedKafkaEventSourceConfig
			m.SelfManagedKafkaEventSourceConfig = changes.SelfManagedKafkaEventSourceConfig
			if group != nil { // an update cannot change the group, and need not repeat it
				c := *m.SelfManagedKafkaEventSourceConfig
				if c.ConsumerGroupId == "" {
					c.ConsumerGroupId = group.ConsumerGroupId
				}
				if c.ConsumptionMode == "" {
					c.ConsumptionMode = group.ConsumptionMode
				}
				m.SelfManagedKafkaEventSourceConfig = &c
			}
		},
	}
	for name := range present {
		set[name]()
	}
	tidy(m)
	return nil
}

// tidy removes empty parameters: clients remove a parameter by setting it to {}.
func tidy(m *esm.Mapping) {
	if c := m.FilterCriteria; c != nil && len(c.Filters) == 0 {
		m.FilterCriteria = nil
	}
	if c := m.DestinationConfig; c != nil && (c.OnFailure == nil || c.OnFailure.Destination == "") && (c.OnSuccess == nil || c.OnSuccess.Destination == "") {
		m.DestinationConfig = nil
	}
	if c := m.MetricsConfig; c != nil && len(c.Metrics) == 0 {
		m.MetricsConfig = nil
	}
	if c := m.LoggingConfig; c != nil && c.SystemLogLevel == "" {
		m.LoggingConfig = nil
	}
}
