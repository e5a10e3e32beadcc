package manager

import (
	"errors"
	"fmt"
	"strings"
)

// Errors of a Manager's methods, beside *esm.FieldError for parameters, ErrFunctionNotFound, and what the store says.
var (
	// ErrNotFound is wrapped by the error for a mapping that is not there.
	ErrNotFound = errors.New("manager: there is no such mapping")
	// ErrInUse is wrapped by the error for a mapping that is being deleted.
	ErrInUse = errors.New("manager: the mapping is in use: it is being deleted")
	// ErrNotRunning is returned when Run has ended, and by Healthy before it too. What changes mappings waits for Run to
	// begin, as long as its context allows.
	ErrNotRunning = errors.New("manager: not running: call Run")
	// ErrAlreadyRun is returned by a second call of Run.
	ErrAlreadyRun = errors.New("manager: this Manager has run already; make a new one with New")
	// ErrStale is wrapped by Update's error when the mapping is at another revision than the one asked for.
	ErrStale = errors.New("manager: the mapping has been changed meanwhile")
)

// ConflictError refuses a mapping because of another one.
type ConflictError struct {
	// UUID is that of the other one.
	UUID string
	// Servers, FunctionARN and Topics are those of the mapping refused.
	Servers, Topics []string
	FunctionARN     string
	// ConsumerGroupId is the group that both name, on the same servers; empty where the conflict is one of source,
	// function and topics.
	ConsumerGroupId string
}

// Error is AWS's text where AWS has one.
func (e *ConflictError) Error() string {
	servers := strings.Join(e.Servers, ",")
	if e.ConsumerGroupId != "" {
		return fmt.Sprintf("The consumer group (%q) on event source (%q) is that of the existing mapping with UUID %s. A group belongs to one mapping; choose another ConsumerGroupId", e.ConsumerGroupId, servers, e.UUID)
	}
	return fmt.Sprintf(`An event source mapping with event source ("%s"), function ("%s"), topics ("%s") already exists. Please update or delete the existing mapping with UUID %s`,
		servers, e.FunctionARN, strings.Join(e.Topics, ","), e.UUID)
}
