package observe

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Errors with which a run ends, or is refused.
var (
	// ErrAlreadyRun is returned by a second call of Runner.Run: a Runner runs once.
	ErrAlreadyRun = errors.New("esm: this Runner has run already; make a new one with New")
	// ErrGroupInUse is wrapped by Run's error where another mapping of this process has the same consumer group.
	ErrGroupInUse = errors.New("esm: the consumer group is another mapping's")
	// ErrNotReady is wrapped by Run's error when WithStartTimeout passes without a first assignment.
	ErrNotReady = errors.New("esm: no partition was assigned and started in time")
	// ErrUnhealthy is wrapped by the error of Runner.Healthy.
	ErrUnhealthy = errors.New("esm: unhealthy")
)

// Causes with which a handler's context ends; see context.Cause.
var (
	// ErrStopping: Run is stopping and the stop timeout has passed.
	ErrStopping = errors.New("esm: stopping: the stop timeout has passed")
	// ErrInvocationTimeout: the invocation ran longer than WithInvocationTimeout allows.
	ErrInvocationTimeout = errors.New("esm: the invocation timeout has passed")
	// ErrPartitionsGone: every partition of the batch was taken away from this member. What the handler still does will
	// be repeated elsewhere.
	ErrPartitionsGone = errors.New("esm: the batch's partitions are no longer assigned to this member")
)

// SourceError is a failure of the event source that ended Run: the group fenced this member, the client broke, or no
// broker answered within WithStartTimeout.
type SourceError struct {
	// Op says what was being done.
	Op string
	// Err is what the driver said.
	Err error
}

// Error says what was being done, and what the driver said.
func (e *SourceError) Error() string { return "esm: " + e.Op + ": " + e.Err.Error() }

// Unwrap returns what the driver said.
func (e *SourceError) Unwrap() error { return e.Err }

// PanicError is a panic of a handler, turned into an error: it counts as a failed invocation and is retried as the
// mapping says.
type PanicError struct {
	// Value is what was given to panic.
	Value any
	// Stack is the goroutine's stack at the panic.
	Stack []byte
}

// Error says what the handler panicked with, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("esm: the handler panicked: %v", e.Value) }

// Unwrap returns the value of the panic where it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// StuckError says what Run had to leave behind when it returned: handlers that ignored the end of their context, and
// calls of the Kafka client that did not come back. It is the only case in which a goroutine outlives Run. What those
// handlers do later is never committed: their records will be delivered again.
type StuckError struct {
	Handlers []StuckHandler
	Calls    []StuckCall
}

// StuckHandler is one invocation that did not return.
type StuckHandler struct {
	// Partitions gives, for each "topic-partition" of the batch, its first and last offset.
	Partitions map[string]OffsetRange
	// Since is when the invocation began.
	Since time.Time
}

// OffsetRange is a range of offsets, both ends included.
type OffsetRange struct{ First, Last int64 }

// StuckCall is one call that did not return: of the client, a hook, a policy or a secret store; or, as OpCommit, a commit of
// records that were handled, which did not succeed in time: they will be delivered again.
type StuckCall struct {
	// Op names the call: any Op but OpInvoke and OpBuffer.
	Op Op
	// Since is when it began.
	Since time.Time
	// Err is what is known of it, may be nil.
	Err error
}

// Error names every handler and call that was left behind.
func (e *StuckError) Error() string {
	var b strings.Builder
	b.WriteString("esm: stopped, but had to leave behind")
	sep := " "
	for _, h := range e.Handlers {
		fmt.Fprintf(&b, "%sa handler that runs since %s on", sep, h.Since.Format(time.RFC3339))
		for key, r := range h.Partitions {
			fmt.Fprintf(&b, " %s[%d..%d]", key, r.First, r.Last)
		}
		sep = "; "
	}
	for _, c := range e.Calls {
		fmt.Fprintf(&b, "%sa call (%s) since %s", sep, c.Op, c.Since.Format(time.RFC3339))
		if c.Err != nil {
			fmt.Fprintf(&b, ": %v", c.Err)
		}
		sep = "; "
	}
	return b.String()
}

// Unwrap returns the errors of the calls.
func (e *StuckError) Unwrap() []error {
	var errs []error
	for _, c := range e.Calls {
		if c.Err != nil {
			errs = append(errs, c.Err)
		}
	}
	return errs
}
