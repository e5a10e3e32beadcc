package run

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/esm-go/esm/internal/intake"
	"github.com/esm-go/esm/internal/shared"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

// prepare validates a mapping and returns its settings.
func prepare(m mapping.Mapping, o *Options) (*shared.Settings, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	if err := unsupported(m); err != nil {
		return nil, err
	}
	if o.Secrets == nil && needsSecrets(m.SourceAccessConfigurations) {
		return nil, &mapping.FieldError{Field: "SourceAccessConfigurations", Reason: "names secrets: say with esm.WithSecrets where they are read, such as auth/secretsmanager for AWS, or auth.NewFiles"}
	}
	if err := o.checkDestination(m); err != nil {
		return nil, err
	}
	filter, err := intake.Compile(patterns(m), o.DeliverWrongKind)
	if err != nil {
		return nil, &mapping.FieldError{Field: "FilterCriteria", Reason: err.Error(), Err: err}
	}
	s := settingsOf(m)
	s.Filter, s.Fingerprint = filter, agreement(m)
	o.limitRetries(s)
	return s, nil
}

// unsupported returns an error for valid parameters that this version does not support.
func unsupported(m mapping.Mapping) error {
	var errs []error
	refuse := func(field, why string) {
		errs = append(errs, fmt.Errorf("%w: %s: %s", ErrNotSupported, field, why))
	}
	if c := m.SelfManagedKafkaEventSourceConfig; c != nil {
		if c.SchemaRegistryConfig != nil {
			refuse("SelfManagedKafkaEventSourceConfig.SchemaRegistryConfig", "schema registries are not supported yet; records are delivered as they are")
		}
		if c.ConsumptionMode == "Queue" {
			refuse("SelfManagedKafkaEventSourceConfig.ConsumptionMode", "Queue (share groups) is not supported yet; use Stream")
		}
	}
	return errors.Join(errs...)
}

// Update is esm.Runner.Update.
func (r *Process) Update(m mapping.Mapping) error {
	s, err := prepare(m, r.opts)
	if err != nil {
		return err
	}
	enabled := m.Enabled // before WithDefaults sets it: unset changes nothing
	m = m.WithDefaults()
	unlock := r.lock()
	old, members, ended := r.mapping, r.roster.list(), r.ended
	if m.UUID == "" || old.UUID != m.UUID && old.GroupID() == m.GroupID() {
		m.UUID = old.UUID
	}
	if err := mapping.Changed(old, m); err != nil {
		unlock()
		return err
	}
	if r.opts.Destination == nil && destinationName(old) != destinationName(m) {
		unlock()
		return &mapping.FieldError{Field: "DestinationConfig.OnFailure", Reason: "cannot be changed while the mapping runs; create a new Runner", Err: mapping.ErrImmutable}
	}
	r.mapping = m
	// enlist holds this lock too, so that a member that starts now gets these settings or is nudged below.
	r.shared.Current.Store(s)
	r.shared.Function.Store(&m.FunctionName)
	unlock()
	r.opts.warnOf(s)
	if s.Retry.Partial {
		r.shared.Conditions.Corrected()
	}
	if ended {
		return nil
	}
	if !slices.Equal(old.SourceAccessConfigurations, m.SourceAccessConfigurations) {
		select {
		case r.access <- struct{}{}:
		default:
		}
	}
	if len(members) > 0 {
		r.settleState(observe.Enabled, observe.Updating)
	}
	r.roster.nudge()
	select {
	case r.updated <- struct{}{}:
	default:
	}
	r.settleState(observe.Updating, observe.Enabled)
	if enabled != nil {
		r.want(!*enabled)
	}
	return nil
}

// Mapping is esm.Runner.Mapping.
func (r *Process) Mapping() mapping.Mapping {
	defer r.lock()()
	return r.mapping
}

// bootstrap returns a mapping's servers in the form that Lambda's events have.
func bootstrap(m mapping.Mapping) string {
	return strings.Join(m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers, ",")
}

// patterns returns the patterns of a mapping's FilterCriteria.
func patterns(m mapping.Mapping) (list []string) {
	if m.FilterCriteria != nil {
		for _, f := range m.FilterCriteria.Filters {
			list = append(list, f.Pattern)
		}
	}
	return list
}
