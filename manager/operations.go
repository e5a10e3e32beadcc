package manager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/manager/store"
)

// Create stores a mapping and starts it. Without a UUID it gets a random one, as on AWS, and so a consumer group of its
// own; ConsumerGroupId names another.
//
// Its errors: *esm.FieldError, several joined, for parameters that are wrong or that WithAllowed refuses;
// esm.ErrNotSupported; ErrFunctionNotFound; *ConflictError; ErrNotRunning; and what the store says. It does not connect:
// a cluster that does not answer shows in LastProcessingResult.
func (m *Manager) Create(ctx context.Context, mapping esm.Mapping) (Description, error) {
	mapping = clone(mapping)
	if mapping.UUID == "" {
		mapping.UUID = uuid.NewString()
	}
	mapping.UUID = strings.ToLower(mapping.UUID)
	return m.write(ctx, func() (store.Definition, error) {
		if m.unit(mapping.UUID) != nil {
			return store.Definition{}, &esm.FieldError{Field: "UUID", Value: mapping.UUID, Reason: "is that of an existing mapping; leave it out for a new one"}
		}
		return store.Definition{Mapping: mapping, LastModified: now()}, m.checkNew(mapping)
	}, nil)
}

// Get returns a mapping as it stands; the error wraps ErrNotFound where it is not there. In a service of several
// replicas State and LastProcessingResult are those of this one.
func (m *Manager) Get(id string) (Description, error) {
	u := m.unit(id)
	if u == nil {
		return Description{}, notFound(id)
	}
	return u.describe(), nil
}

// Filter selects mappings of a List.
type Filter struct {
	// FunctionName, where not empty, is a function's name or ARN; without a qualifier it stands for the function with
	// every qualifier.
	FunctionName string
	// After, where not empty, is the UUID after which the page begins.
	After string
	// Limit, where not 0, is the most mappings of the page.
	Limit int
}

// List returns mappings by UUID, and whether there are more.
func (m *Manager) List(f Filter) (page []Description, more bool) {
	arn := ""
	if f.FunctionName != "" {
		arn = m.o.arn.function(f.FunctionName)
	}
	m.mu.Lock()
	var units []*unit
	for _, u := range m.units {
		if u.uuid > f.After && (arn == "" || u.invokes(arn)) {
			units = append(units, u)
		}
	}
	m.mu.Unlock()
	slices.SortFunc(units, func(a, b *unit) int { return strings.Compare(a.uuid, b.uuid) })
	if f.Limit > 0 && len(units) > f.Limit {
		units, more = units[:f.Limit], true
	}
	for _, u := range units {
		page = append(page, u.describe())
	}
	return page, more
}

// Update changes a mapping. change is given what is defined now, and may be called again when somebody else changes it
// at the same time; what it returns as an error Update returns. Where revision is not 0 and the mapping is at another
// one, the error wraps ErrStale.
//
// Everything that AWS lets one update can be changed; other parameters are refused with a *esm.FieldError that wraps
// esm.ErrImmutable. Batching, retries, filters, destinations, pollers, Enabled and the function change while the mapping
// runs; for SourceAccessConfigurations another member joins the group and is ready before the one that it replaces goes.
func (m *Manager) Update(ctx context.Context, id string, revision store.Revision, change func(*esm.Mapping) error) (Description, error) {
	var before store.Definition
	d, err := m.write(ctx, func() (store.Definition, error) {
		var err error
		if before, err = m.definition(id); err != nil {
			return store.Definition{}, err
		}
		if revision != 0 && before.Revision != revision {
			return store.Definition{}, fmt.Errorf("%w: it is at revision %d, not %d", ErrStale, before.Revision, revision)
		}
		mapping := clone(before.Mapping)
		if err := change(&mapping); err != nil {
			return store.Definition{}, err
		}
		if err := immutable(before.Mapping, mapping); err != nil {
			return store.Definition{}, err
		}
		return store.Definition{Mapping: mapping, LastModified: now()}, m.checkUpdate(before.Mapping, mapping)
	}, nil)
	if err != nil {
		return Description{}, err
	}
	switch was, is := enabled(before.Mapping), enabled(d.Mapping); {
	case was && !is:
		d.State = esm.Disabling
	case is && !was:
		d.State = esm.Enabling
	default:
		d.State = esm.Updating
	}
	return d, nil
}

// Delete removes a mapping, and returns it as it stood, Deleting. Its handlers may finish within the Runner's stop
// timeout; until they have, Get shows it as Deleting. The group's commits stay in Kafka.
func (m *Manager) Delete(ctx context.Context, id string) (Description, error) {
	var last Description
	_, err := m.write(ctx, func() (store.Definition, error) {
		d, err := m.definition(id)
		if err == nil {
			last, err = m.Get(id)
		}
		return d, err
	}, func(ctx context.Context, d store.Definition, since store.Revision) (store.Revision, error) {
		return m.store.Delete(ctx, d.Mapping.UUID, since)
	})
	if err != nil {
		return Description{}, err
	}
	last.State, last.StateTransitionReason = Deleting, esm.ReasonUserInitiated
	return last, nil
}

// Tag sets tags of a mapping; those with other keys stay.
func (m *Manager) Tag(ctx context.Context, id string, tags map[string]string) error {
	return m.retag(ctx, id, func(t map[string]string) { maps.Copy(t, tags) })
}

// Untag removes tags of a mapping; a key that is not there is no error.
func (m *Manager) Untag(ctx context.Context, id string, keys ...string) error {
	return m.retag(ctx, id, func(t map[string]string) {
		for _, key := range keys {
			delete(t, key)
		}
	})
}

// MostTags is how many tags a mapping may have, as on AWS.
const MostTags = 50

func (m *Manager) retag(ctx context.Context, id string, change func(map[string]string)) error {
	_, err := m.write(ctx, func() (store.Definition, error) {
		d, err := m.definition(id)
		if err != nil {
			return d, err
		}
		d.Mapping = clone(d.Mapping)
		if d.Mapping.Tags == nil {
			d.Mapping.Tags = make(map[string]string)
		}
		change(d.Mapping.Tags)
		return d, m.checkTags(d.Mapping)
	}, nil)
	return err
}

// ListTags returns a mapping's tags.
func (m *Manager) ListTags(id string) (map[string]string, error) {
	d, err := m.definition(id)
	if errors.Is(err, ErrInUse) {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	tags := maps.Clone(d.Mapping.Tags)
	if tags == nil {
		tags = make(map[string]string)
	}
	return tags, nil
}

// Status returns the Status of a mapping's Runner, zero while it has none: before it starts, while it is disabled, and
// between two tries. While one Runner takes another's place it is that of the older one.
func (m *Manager) Status(id string) (esm.Status, error) {
	u := m.unit(id)
	if u == nil {
		return esm.Status{}, notFound(id)
	}
	if r := u.runner(); r != nil {
		return r.Status(), nil
	}
	return esm.Status{UUID: u.uuid}, nil
}

// Runner returns a mapping's Runner; nil while it has none. Do not call its Run, Update, Pause and Resume: they are the
// Manager's.
func (m *Manager) Runner(id string) (*esm.Runner, error) {
	u := m.unit(id)
	if u == nil {
		return nil, notFound(id)
	}
	return u.runner(), nil
}

// Validate reports what Create would refuse of a mapping, but for conflicts with others: it is for forms.
func (m *Manager) Validate(mapping esm.Mapping) error {
	return errors.Join(m.checkMapping(mapping), m.checkFunction(mapping))
}

// write decides by what the store is known to hold, and writes under the condition that it still holds that: else it
// decides again. A nil put is the store's Put.
func (m *Manager) write(ctx context.Context, decide func() (store.Definition, error),
	put func(context.Context, store.Definition, store.Revision) (store.Revision, error),
) (Description, error) {
	if put == nil {
		put = m.store.Put
	}
	known := store.Revision(0)
	for {
		if err := m.await(ctx, known); err != nil {
			return Description{}, err
		}
		since := m.revision()
		d, err := decide()
		if err != nil {
			return Description{}, err
		}
		r, err := put(ctx, d, since)
		if errors.Is(err, store.ErrConflict) && ctx.Err() == nil {
			known = since + 1
			continue
		}
		if err != nil {
			return Description{}, err
		}
		// Written: a context that ends now changes nothing of it.
		_ = m.await(ctx, r)
		d.Revision = r
		return m.describe(d), nil
	}
}

func (m *Manager) revision() store.Revision {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.applied
}

func (m *Manager) unit(id string) *unit {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.units[strings.ToLower(id)]
}

// definition returns a mapping's definition; one that is being deleted is ErrInUse.
func (m *Manager) definition(id string) (store.Definition, error) {
	u := m.unit(id)
	if u == nil {
		return store.Definition{}, notFound(id)
	}
	d, deleted := u.wanted()
	if deleted {
		return d, fmt.Errorf("%w: %s", ErrInUse, id)
	}
	return d, nil
}

func notFound(id string) error { return fmt.Errorf("%w: %q", ErrNotFound, id) }

// now is the time of a change, of which the store's documents and AWS's answers keep milliseconds.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// clone copies a mapping so that the two share no memory.
func clone(m esm.Mapping) esm.Mapping {
	var out esm.Mapping
	document, err := json.Marshal(m)
	if err == nil {
		err = json.Unmarshal(document, &out)
	}
	if err != nil {
		return m // a timestamp out of JSON's range, which Validate refuses
	}
	return out
}
