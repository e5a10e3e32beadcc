package function

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/esm-go/esm"
)

// Target is a function that a mapping can invoke. Handle is an esm.Handler.
type Target interface {
	Handle(ctx context.Context, event esm.KafkaEvent) error
	// Ready returns nil when the function can take a batch, after a cold start if it needs one. Otherwise it returns
	// why not: a *ConfigError if the function itself is the reason. It is called before a mapping polls, and again to
	// find out whether the function has been fixed.
	Ready(ctx context.Context) error
}

// Func turns a Handler into a Target that is always ready.
type Func esm.Handler

// Handle calls the Handler.
func (f Func) Handle(ctx context.Context, event esm.KafkaEvent) error { return f(ctx, event) }

// Ready returns nil.
func (f Func) Ready(context.Context) error { return nil }

// NotFoundError says that no function has that name: Lambda's ResourceNotFoundException.
type NotFoundError struct {
	// Name is the FunctionName that was looked up.
	Name string
}

// Error returns Lambda's text.
func (e *NotFoundError) Error() string {
	return "ResourceNotFoundException: Function not found: " + e.Name
}

// Code returns ResourceNotFoundException.
func (e *NotFoundError) Code() string { return "ResourceNotFoundException" }

// FunctionProblem returns the Code. It makes the mapping's Status show the error while it lasts.
func (e *NotFoundError) FunctionProblem() string { return e.Code() }

// ErrAlreadyRegistered is wrapped by the error for registering a name twice.
var ErrAlreadyRegistered = errors.New("function: already registered")

// Resolver finds the Target for a name that a Registry does not have, for example on AWS Lambda. It returns a
// *NotFoundError if there is none.
type Resolver func(Name) (Target, error)

// Registry resolves function names to Targets. It is safe for concurrent use; the zero value is empty and ready to use.
//
// A name registered without account and region matches the function of that name in any of them. A name with account
// and region matches only itself, and is preferred. Qualifiers must be equal; no qualifier and $LATEST are the same.
type Registry struct {
	mu       sync.RWMutex
	entries  map[string][]entry // keyed by the bare function name
	fallback Resolver
}

type entry struct {
	name   Name
	target Target
}

// Register adds a Target under a name in any form that ParseName accepts.
func (r *Registry) Register(name string, t Target) error {
	n, err := ParseName(name)
	if err != nil {
		return err
	}
	if t == nil {
		return fmt.Errorf("function: the target for %q is nil", name)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.entries[n.Function] {
		if e.name.Region == n.Region && e.name.Account == n.Account && e.name.version() == n.version() {
			return fmt.Errorf("%w: %s", ErrAlreadyRegistered, name)
		}
	}
	if r.entries == nil {
		r.entries = make(map[string][]entry)
	}
	r.entries[n.Function] = append(r.entries[n.Function], entry{n, t})
	return nil
}

// Remove removes what was registered under exactly this name. It reports whether there was such an entry.
func (r *Registry) Remove(name string) bool {
	n, err := ParseName(name)
	if err != nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	before := len(r.entries[n.Function])
	r.entries[n.Function] = slices.DeleteFunc(r.entries[n.Function], func(e entry) bool {
		return e.name.Region == n.Region && e.name.Account == n.Account && e.name.version() == n.version()
	})
	return len(r.entries[n.Function]) < before
}

// SetFallback sets the Resolver for names that are not registered. Nil means none.
func (r *Registry) SetFallback(f Resolver) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fallback = f
}

// Resolve returns the Target for a name, or a *NotFoundError.
func (r *Registry) Resolve(name string) (Target, error) {
	n, err := ParseName(name)
	if err != nil {
		return nil, err
	}
	r.mu.RLock()
	target, fallback := r.find(n), r.fallback
	r.mu.RUnlock()
	switch {
	case target != nil:
		return target, nil
	case fallback != nil:
		return fallback(n)
	}
	return nil, &NotFoundError{Name: name}
}

// find returns the entry that matches n in most of account and region, or nil. The caller holds mu.
func (r *Registry) find(n Name) (best Target) {
	said := -1
	for _, e := range r.entries[n.Function] {
		match, score := e.name.version() == n.version(), 0
		for _, p := range [][2]string{{e.name.Region, n.Region}, {e.name.Account, n.Account}} {
			if p[0] != "" && p[1] != "" {
				match = match && p[0] == p[1]
				score++
			}
		}
		if match && score > said {
			best, said = e.target, score
		}
	}
	return best
}

// Late returns a Target that resolves the name on every call. A mapping can therefore be created before its function is
// registered, and follows later registrations. While the name is not registered, Handle returns the *NotFoundError as
// esm.Throttled: the records wait, and no attempt is used.
func (r *Registry) Late(name string) Target { return &late{r, name} }

type late struct {
	registry *Registry
	name     string
}

func (l *late) Handle(ctx context.Context, event esm.KafkaEvent) error {
	t, err := l.registry.Resolve(l.name)
	if err != nil {
		return esm.Throttled(err)
	}
	return t.Handle(ctx, event)
}

func (l *late) Ready(ctx context.Context) error {
	t, err := l.registry.Resolve(l.name)
	if err != nil {
		return err
	}
	return t.Ready(ctx)
}
