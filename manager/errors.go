package manager

import (
	"errors"
	"fmt"
	"strings"
)

// Errors of a Manager's methods, in addition to *esm.FieldError for parameters, ErrFunctionNotFound, and the store's
// errors.
var (
	// ErrNotFound is wrapped by the error for a mapping that does not exist.
	ErrNotFound = errors.New("manager: there is no such mapping")
	// ErrInUse is wrapped by the error for a mapping that is being deleted.
	ErrInUse = errors.New("manager: the mapping is in use: it is being deleted")
	// ErrNotRunning is returned after Run has ended; Healthy also returns it before Run. Methods that change mappings
	// wait for Run to start, as long as their context allows.
	ErrNotRunning = errors.New("manager: not running: call Run")
	// ErrAlreadyRun is returned by a second call of Run.
	ErrAlreadyRun = errors.New("manager: this Manager has run already; create another with New")
	// ErrStale is wrapped by Update's error if the mapping is not at the given revision.
	ErrStale = errors.New("manager: the mapping has been changed meanwhile")
)

// ConflictError rejects a mapping because of another mapping.
type ConflictError struct {
	// UUID is the UUID of the other mapping.
	UUID string
	// Servers, FunctionARN and Topics are those of the rejected mapping.
	Servers, Topics []string
	FunctionARN     string
	// ConsumerGroupId is the group that both mappings name on the same servers. It is empty if they conflict in source,
	// function and topics.
	ConsumerGroupId string
}

// Error returns AWS's text if AWS has one.
func (e *ConflictError) Error() string {
	servers := strings.Join(e.Servers, ",")
	if e.ConsumerGroupId != "" {
		return fmt.Sprintf("The consumer group (%q) on event source (%q) is used by the existing mapping with UUID %s. A group belongs to one mapping; choose another ConsumerGroupId", e.ConsumerGroupId, servers, e.UUID)
	}
	return fmt.Sprintf(`An event source mapping with event source ("%s"), function ("%s"), topics ("%s") already exists. Please update or delete the existing mapping with UUID %s`,
		servers, e.FunctionARN, strings.Join(e.Topics, ","), e.UUID)
}
