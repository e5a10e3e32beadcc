package manager

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/manager/store"
)

// checkNew returns an error if a mapping cannot run, or conflicts with an existing one.
func (m *Manager) checkNew(mapping esm.Mapping) error {
	if err := m.checkMapping(mapping); err != nil {
		return err
	}
	if err := m.checkFunction(mapping); err != nil {
		return err
	}
	return m.checkConflicts(mapping)
}

// checkUpdate returns an error if a mapping cannot be changed from was to is. A change that only disables it is allowed.
func (m *Manager) checkUpdate(was, is esm.Mapping) error {
	disabled := clone(was)
	disabled.Enabled = new(false)
	if same(disabled, is) {
		return nil
	}
	if err := m.checkMapping(is); err != nil {
		return err
	}
	if was.FunctionName == is.FunctionName {
		return nil
	}
	if err := m.checkFunction(is); err != nil {
		return err
	}
	return m.checkConflicts(is)
}

// same reports whether two definitions are equal.
func same(a, b esm.Mapping) bool {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && bytes.Equal(x, y)
}

func (m *Manager) checkFunction(mapping esm.Mapping) error {
	_, err := m.functions.Resolve(mapping.FunctionName)
	return err
}

func (m *Manager) checkMapping(mapping esm.Mapping) error {
	if mapping.FunctionName == "" {
		return errors.Join(&esm.FieldError{Field: "FunctionName", Reason: "is required: a function's name or ARN"}, mapping.Validate())
	}
	if err := m.checkTags(mapping); err != nil {
		return err
	}
	// New validates the mapping, and reports what this version, with these options, does not support.
	_, err := m.newRunner(mapping, m.o.logger, func(context.Context, esm.KafkaEvent) error { return nil })
	return err
}

// checkTags checks only the tags: the mapping does not change otherwise.
func (m *Manager) checkTags(mapping esm.Mapping) error {
	if n := len(mapping.Tags); n > MostTags {
		return &esm.FieldError{Field: "Tags", Value: n, Reason: fmt.Sprintf("has more than %d", MostTags)}
	}
	return esm.Mapping{
		FunctionName: "f", Topics: []string{"t"}, Tags: mapping.Tags,
		SelfManagedEventSource: esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: []string{"b:1"}}},
	}.Validate()
}

// checkConflicts returns an error if another mapping has the same source, function and topics, or the same consumer
// group. Two sources are the same if they share a server, as on AWS.
func (m *Manager) checkConflicts(mapping esm.Mapping) error {
	arn := m.o.arn.function(mapping.FunctionName)
	servers := mapping.SelfManagedEventSource.Endpoints.KafkaBootstrapServers
	topics := slices.Sorted(slices.Values(mapping.Topics))
	var groups error
	for _, other := range m.definitions() {
		o := other.Mapping
		if o.UUID == mapping.UUID || !share(servers, o.SelfManagedEventSource.Endpoints.KafkaBootstrapServers) {
			continue
		}
		conflict := &ConflictError{UUID: o.UUID, Servers: servers, Topics: mapping.Topics, FunctionARN: arn}
		if slices.Equal(slices.Sorted(slices.Values(o.Topics)), topics) && m.o.arn.function(o.FunctionName) == arn {
			return conflict
		}
		if group := mapping.GroupID(); groups == nil && group == o.GroupID() {
			conflict.ConsumerGroupId = group
			groups = conflict
		}
	}
	return groups
}

// definitions returns the definitions of the mappings that are not being deleted, by UUID.
func (m *Manager) definitions() []store.Definition {
	m.mu.Lock()
	units := slices.SortedFunc(maps.Values(m.units), func(a, b *unit) int { return strings.Compare(a.uuid, b.uuid) })
	m.mu.Unlock()
	var list []store.Definition
	for _, u := range units {
		if d, deleted := u.wanted(); !deleted {
			list = append(list, d)
		}
	}
	return list
}

func share(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// immutable returns an error for each parameter in which two mappings differ and that cannot be updated on AWS.
func immutable(was, is esm.Mapping) error {
	was, is = was.WithDefaults(), is.WithDefaults()
	var errs []error
	for _, f := range []struct {
		name string
		same bool
	}{
		{"UUID", was.UUID == is.UUID},
		{"SelfManagedEventSource", slices.Equal(was.SelfManagedEventSource.Endpoints.KafkaBootstrapServers, is.SelfManagedEventSource.Endpoints.KafkaBootstrapServers)},
		{"Topics", slices.Equal(was.Topics, is.Topics)},
		{"SelfManagedKafkaEventSourceConfig.ConsumerGroupId", was.GroupID() == is.GroupID()},
		{"SelfManagedKafkaEventSourceConfig.ConsumptionMode", mode(was) == mode(is)},
		{"StartingPosition", was.StartingPosition == is.StartingPosition},
		{"StartingPositionTimestamp", was.StartingPositionTimestamp.Equal(is.StartingPositionTimestamp)},
	} {
		if !f.same {
			errs = append(errs, &esm.FieldError{Field: f.name, Reason: "cannot be updated, as on AWS: delete the mapping and create another", Err: esm.ErrImmutable})
		}
	}
	return errors.Join(errs...)
}

func mode(m esm.Mapping) string {
	if c := m.SelfManagedKafkaEventSourceConfig; c != nil && c.ConsumptionMode != "" {
		return c.ConsumptionMode
	}
	return "Stream"
}
