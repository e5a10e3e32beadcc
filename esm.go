package esm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/esm-go/esm/internal/intake"
	"github.com/esm-go/esm/mapping"
)

// New makes a Runner for a mapping. It does no I/O and starts nothing.
//
// Its error joins everything that is wrong: *FieldError for the mapping's parameters (they wrap ErrInvalidMapping),
// ErrNotSupported for what this version cannot carry out, ErrNilHandler, and options out of range.
func New(m Mapping, h Handler, opts ...Option) (*Runner, error) {
	o := newOptions(append([]Option{defaultDriver()}, opts...))
	var errs []error
	if h == nil {
		errs = append(errs, ErrNilHandler)
	}
	s, err := prepare(m, o)
	if err := errors.Join(append(errs, o.err(), err)...); err != nil {
		return nil, err
	}
	m = m.WithDefaults()
	client := o.client
	client.BootstrapServers = m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers
	client.GroupID, client.Topics = m.GroupID(), slices.Clone(m.Topics)
	client.Logger = o.logger.With("driver", o.driver.Name())
	r := newRunner(o, h, s, client, identity{uuid: m.UUID, functionName: m.FunctionName, bootstrap: bootstrap(m)})
	r.mapping, r.shared.HasDestination = m, o.destination != nil || destinationName(m) != ""
	o.warnOf(s)
	if m.Enabled != nil && !*m.Enabled {
		r.shared.Wish.Add(1)
	}
	return r, nil
}

// Run makes a Runner and runs it: New, then Runner.Run.
func Run(ctx context.Context, m Mapping, h Handler, opts ...Option) error {
	r, err := New(m, h, opts...)
	if err != nil {
		return err
	}
	return r.Run(ctx)
}

// prepare validates a mapping and makes its settings.
func prepare(m Mapping, o *options) (*settings, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	if err := unsupported(m); err != nil {
		return nil, err
	}
	if o.secrets == nil && needsSecrets(m.SourceAccessConfigurations) {
		return nil, &FieldError{Field: "SourceAccessConfigurations", Reason: "names secrets: say with esm.WithSecrets where they are read, such as auth/secretsmanager for AWS, or auth.NewFiles"}
	}
	if err := o.checkDestination(m); err != nil {
		return nil, err
	}
	filter, err := intake.Compile(patterns(m), o.deliverWrongKind)
	if err != nil {
		return nil, &FieldError{Field: "FilterCriteria", Reason: err.Error(), Err: err}
	}
	s := settingsOf(m)
	s.Filter, s.Fingerprint = filter, agreement(m)
	o.limitRetries(s)
	return s, nil
}

// unsupported names the parameters that are valid and that this version cannot carry out.
func unsupported(m Mapping) error {
	var errs []error
	refuse := func(field, why string) {
		errs = append(errs, fmt.Errorf("%w: %s: %s", ErrNotSupported, field, why))
	}
	if c := m.SelfManagedKafkaEventSourceConfig; c != nil {
		if c.SchemaRegistryConfig != nil {
			refuse("SelfManagedKafkaEventSourceConfig.SchemaRegistryConfig", "schema registries are not built yet; records are delivered as they are")
		}
		if c.ConsumptionMode == "Queue" {
			refuse("SelfManagedKafkaEventSourceConfig.ConsumptionMode", "Queue (share groups) is not built yet; use Stream")
		}
	}
	return errors.Join(errs...)
}

// Update changes the mapping of a running Runner, at once and without a restart of what did not change: BatchSize,
// MaximumBatchingWindowInSeconds, the retry parameters and FilterCriteria hold from the next batch, or fetch, on; Enabled
// is Pause and Resume, and changes nothing when it is unset. SourceAccessConfigurations are put in force like a rotation: they
// are tried first, and until they work the ones before stay in use, and Status.Credentials says why. What AWS does not let
// one change either (servers, topics, group, starting position), and DestinationConfig.OnFailure, is refused with
// ErrImmutable, and nothing is changed then. A FunctionName is what Status and
// invocations show from then on.
func (r *Runner) Update(m Mapping) error {
	s, err := prepare(m, r.opts)
	if err != nil {
		return err
	}
	enabled := m.Enabled // the default is not what the caller says
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
	if r.opts.destination == nil && destinationName(old) != destinationName(m) {
		unlock()
		return &FieldError{Field: "DestinationConfig.OnFailure", Reason: "cannot be changed while the mapping runs; make a new Runner", Err: ErrImmutable}
	}
	r.mapping = m
	// Under the same lock as Run hands the settings to a loop: whichever comes second sees the other.
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
		r.settleState(Enabled, Updating)
	}
	r.roster.nudge()
	select {
	case r.updated <- struct{}{}:
	default:
	}
	r.settleState(Updating, Enabled)
	if enabled != nil {
		r.want(!*enabled)
	}
	return nil
}

// bootstrap is a mapping's servers as Lambda prints them in an event.
func bootstrap(m Mapping) string {
	return strings.Join(m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers, ",")
}

// patterns are those of a mapping's FilterCriteria.
func patterns(m Mapping) (list []string) {
	if m.FilterCriteria != nil {
		for _, f := range m.FilterCriteria.Filters {
			list = append(list, f.Pattern)
		}
	}
	return list
}
