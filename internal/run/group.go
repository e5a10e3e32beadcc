package run

import (
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/esm-go/esm/internal/start"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

// inProcess holds the running Runners of this process. It is global because no two different mappings of a process may
// share a consumer group, and only the process knows both.
var inProcess groups

// groups are Runners by consumer group.
type groups struct {
	mu      sync.Mutex
	runners map[string][]*Process
}

// enter adds a Process, or returns an error that wraps ErrGroupInUse.
func (g *groups) enter(r *Process) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, other := range g.runners[r.client.GroupID] {
		if what := r.differs(other); what != "" && r.sameCluster(other) {
			return fmt.Errorf("%w: %q is used by mapping %s, which runs in this process with another %s: each would commit the other's records; "+
				"give this mapping its own ConsumerGroupId or UUID", observe.ErrGroupInUse, r.client.GroupID, other.shared.UUID, what)
		}
	}
	if g.runners == nil {
		g.runners = make(map[string][]*Process)
	}
	g.runners[r.client.GroupID] = append(g.runners[r.client.GroupID], r)
	return nil
}

// leave removes a Process.
func (g *groups) leave(r *Process) {
	g.mu.Lock()
	defer g.mu.Unlock()
	group := r.client.GroupID
	g.runners[group] = slices.DeleteFunc(g.runners[group], func(x *Process) bool { return x == r })
	if len(g.runners[group]) == 0 {
		delete(g.runners, group)
	}
}

// differs names a parameter that must be the same in two Runners of one group and is not. It is empty for replicas of
// one mapping.
func (r *Process) differs(other *Process) string {
	topics := func(r *Process) []string { return slices.Sorted(slices.Values(r.client.Topics)) }
	switch mine, theirs := r.shared.Current.Load().Fingerprint, other.shared.Current.Load().Fingerprint; {
	case *r.shared.Function.Load() != *other.shared.Function.Load():
		return "FunctionName"
	case !slices.Equal(topics(r), topics(other)):
		return "Topics"
	case mine != theirs:
		return "FilterCriteria"
	}
	return ""
}

// sameCluster reports whether two Runners are known to read from the same cluster. A custom dialer may connect to any.
func (r *Process) sameCluster(other *Process) bool {
	a, b := r.opts.Driver, other.opts.Driver
	if !a.Features().Network || !b.Features().Network {
		return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
	}
	if r.client.Dialer != nil || other.client.Dialer != nil {
		return false
	}
	return slices.ContainsFunc(r.client.BootstrapServers, func(s string) bool { return slices.Contains(other.client.BootstrapServers, s) })
}

// agreement returns the fingerprint of what the members of one group must agree on: which function gets the records,
// and which records.
func agreement(m mapping.Mapping) string {
	parts := append([]string{m.FunctionName}, patterns(m)...)
	slices.Sort(parts[1:]) // one that matches is enough
	return start.Fingerprint(parts...)
}
