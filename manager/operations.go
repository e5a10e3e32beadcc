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

// Create stores a mapping and starts it. Without a UUID the mapping gets a random one, as on AWS, and therefore its own
// consumer group, unless it sets ConsumerGroupId.
//
// Its errors are *esm.FieldError, possibly several joined, for parameters that are invalid or that WithAllowed rejects;
// esm.ErrNotSupported; ErrFunctionNotFound; *ConflictError; ErrNotRunning; and the store's errors. It does not connect:
// LastProcessingResult shows that a cluster does not answer.
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

// Get returns a mapping's current description. The error wraps ErrNotFound if there is no such mapping. In a service
// with several replicas, State and LastProcessingResult are those of this replica.
func (m *Manager) Get(id string) (Description, error) {
	u := m.unit(id)
	if u == nil {
		return Description{}, notFound(id)
	}
	return u.describe(), nil
}

// Filter selects mappings of a List.
type Filter struct {
	// FunctionName, if not empty, is a function's name or ARN. Without a qualifier it matches every qualifier.
	FunctionName string
	// After, if not empty, is the UUID after which the page begins.
	After string
	// Limit, if not 0, is the maximum number of mappings in the page.
	Limit int
}

// List returns mappings in the order of their UUIDs, and whether there are more.
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

// Update changes a mapping. change receives the current definition; it may be called again if the mapping is changed
// concurrently. Update returns an error that change returns. If revision is not 0 and the mapping is at another
// revision, the error wraps ErrStale.
//
// Every parameter that AWS lets one update can be changed; others are rejected with a *esm.FieldError that wraps
// esm.ErrImmutable. Batching, retries, filters, destinations, pollers, Enabled and the function change while the
// mapping runs. For SourceAccessConfigurations a new member joins the group, and is ready before the old one leaves.
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

// Delete removes a mapping and returns its last description, with the state Deleting. Its handlers may finish within
// the Runner's stop timeout; until then Get shows it as Deleting. The group's commits stay in Kafka.
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

// Tag sets tags of a mapping. Tags with other keys stay.
func (m *Manager) Tag(ctx context.Context, id string, tags map[string]string) error {
	return m.retag(ctx, id, func(t map[string]string) { maps.Copy(t, tags) })
}

// Untag removes tags of a mapping. A missing key is not an error.
func (m *Manager) Untag(ctx context.Context, id string, keys ...string) error {
	return m.retag(ctx, id, func(t map[string]string) {
		for _, key := range keys {
			delete(t, key)
		}
	})
}

// MostTags is the maximum number of tags of a mapping, as on AWS.
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

// Status returns the Status of a mapping's Runner. It is zero, except for the UUID, while there is no Runner: before it
// starts, while the mapping is disabled, and between two attempts. While one Runner replaces another, it is the status
// of the old one.
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

// Runner returns a mapping's Runner, or nil while it has none. Do not call its Run, Update, Pause and Resume: only the
// Manager may.
func (m *Manager) Runner(id string) (*esm.Runner, error) {
	u := m.unit(id)
	if u == nil {
		return nil, notFound(id)
	}
	return u.runner(), nil
}

// Validate reports what Create would reject in a mapping, except for conflicts with other mappings. It is meant for
// forms.
func (m *Manager) Validate(mapping esm.Mapping) error {
	return errors.Join(m.checkMapping(mapping), m.checkFunction(mapping))
}

// write decides what to write from the known content of the store, and writes it on the condition that the store has
// not changed since; if it has, write decides again. A nil put means the store's Put.
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
		// The write is done: an error of await does not change that.
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

// definition returns a mapping's definition. The error is ErrInUse if the mapping is being deleted.
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

// now returns the time of a change, in milliseconds as in the store's documents and AWS's answers.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// clone returns a deep copy of a mapping.
func clone(m esm.Mapping) esm.Mapping {
	var out esm.Mapping
	document, err := json.Marshal(m)
	if err == nil {
		err = json.Unmarshal(document, &out)
	}
	if err != nil {
		return m // a timestamp outside JSON's range, which Validate rejects
	}
	return out
}
