package manager

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/manager/store"
)

// Deleting is the state, in addition to those of esm.State, of a deleted mapping whose handlers are still running.
const Deleting esm.State = "Deleting"

// resultNone is the LastProcessingResult before the first invocation.
const resultNone = "No records processed"

// Description is what Lambda's API shows of a mapping, and the mapping's definition.
type Description struct {
	// Mapping is the definition with its defaults (esm.Mapping.WithDefaults), except that MaximumRetryAttempts is as it
	// was given. It belongs to the caller.
	Mapping esm.Mapping
	// ARN is the mapping's ARN. FunctionARN is its function's ARN, with the qualifier as it was given.
	ARN, FunctionARN string
	State            esm.State
	// StateTransitionReason is USER_INITIATED, or Lambda's code for the problem.
	StateTransitionReason string
	// LastProcessingResult is "No records processed", "OK", or "PROBLEM: " and a description of the problem.
	LastProcessingResult string
	LastModified         time.Time
	// Revision is the store's revision of the last change to the definition.
	Revision store.Revision
}

// describe returns the part of a description that follows from the definition.
func (m *Manager) describe(d store.Definition) Description {
	mapping := d.Mapping.WithDefaults()
	mapping.MaximumRetryAttempts = d.Mapping.MaximumRetryAttempts
	state := esm.Creating
	if !enabled(d.Mapping) {
		state = esm.Disabled
	}
	return Description{
		Mapping: clone(mapping), ARN: m.o.arn.mapping(mapping.UUID), FunctionARN: m.o.arn.function(mapping.FunctionName),
		State: state, StateTransitionReason: esm.ReasonUserInitiated, LastProcessingResult: resultNone,
		LastModified: d.LastModified, Revision: d.Revision,
	}
}

func enabled(m esm.Mapping) bool { return m.Enabled == nil || *m.Enabled }

// describe returns the mapping's current description.
func (u *unit) describe() Description {
	u.mu.Lock()
	def, deleted, begun, trouble := u.def, u.deleted, u.begun, u.trouble
	current, next := u.current, u.next
	pending := current != nil && current.def.Revision != def.Revision
	u.mu.Unlock()
	d := u.m.describe(def)
	var status esm.Status
	if current != nil {
		status = current.runner.Status()
		d.LastProcessingResult = status.LastProcessingResult
		if err := status.Credentials.Err; err != nil && !isProblem(d.LastProcessingResult) { // new secrets cannot be used
			d.LastProcessingResult = "PROBLEM: " + err.Error()
		}
		d.reason(status)
	}
	if next != nil {
		if s := next.runner.Status(); isProblem(s.LastProcessingResult) {
			d.LastProcessingResult = s.LastProcessingResult
			d.reason(s)
		}
	}
	if trouble.result != "" {
		d.LastProcessingResult = trouble.result
		if trouble.code != "" {
			d.StateTransitionReason = trouble.code
		}
	}
	switch lives := current != nil || next != nil; {
	case deleted:
		d.State = Deleting
	case !enabled(def.Mapping):
		if d.State = esm.Disabled; lives {
			d.State = esm.Disabling
		}
	case isProblem(d.LastProcessingResult) && (trouble.result != "" || status.State == esm.Creating || next != nil):
		d.State = esm.Enabled // enabled, but not working as defined: the result says why
	case status.State == esm.Enabled:
		if d.State = esm.Enabled; pending || next != nil {
			d.State = esm.Updating
		}
	case status.State == esm.Updating:
		d.State = esm.Updating
	case begun:
		d.State = esm.Enabling
	default:
		d.State = esm.Creating
	}
	return d
}

func (d *Description) reason(s esm.Status) {
	if s.Diagnosis.Code != "" {
		d.StateTransitionReason = string(s.Diagnosis.Code)
	}
}

func isProblem(result string) bool { return strings.HasPrefix(result, "PROBLEM") }

// runner returns the Runner of the mapping, or nil if there is none.
func (u *unit) runner() *esm.Runner {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, l := range []*life{u.current, u.next} {
		if l != nil {
			return l.runner
		}
	}
	return nil
}

// invokes reports whether the mapping's function has the given ARN. An ARN without a qualifier matches every qualifier.
func (u *unit) invokes(arn string) bool {
	d, _ := u.wanted()
	own := u.m.o.arn.function(d.Mapping.FunctionName)
	if own == arn {
		return true
	}
	n := ParseFunctionName(d.Mapping.FunctionName)
	return n.Qualifier != "" && strings.TrimSuffix(own, ":"+n.Qualifier) == arn
}

// sortedProblems returns the problems, sorted by source.
func sortedProblems(problems map[string]error) []store.Problem {
	var list []store.Problem
	for _, source := range slices.Sorted(maps.Keys(problems)) {
		list = append(list, store.Problem{Source: source, Err: problems[source]})
	}
	return list
}
