package observe

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Errors that the Runner's methods return.
var (
	// ErrAlreadyRun is returned by a second call of Runner.Run. A Runner runs once.
	ErrAlreadyRun = errors.New("esm: this Runner has run already; create another with New")
	// ErrGroupInUse is wrapped by Run's error when another mapping in this process uses the same consumer group.
	ErrGroupInUse = errors.New("esm: the consumer group belongs to another mapping")
	// ErrNotReady is wrapped by Run's error when WithStartTimeout passes without a first assignment.
	ErrNotReady = errors.New("esm: no partition was assigned and started in time")
	// ErrUnhealthy is wrapped by the error of Runner.Healthy.
	ErrUnhealthy = errors.New("esm: unhealthy")
)

// Causes of the end of a handler's context; see context.Cause.
var (
	// ErrStopping: Run is stopping and the handlers' share of the stop timeout has passed.
	ErrStopping = errors.New("esm: stopping: the stop timeout has passed")
	// ErrInvocationTimeout: the invocation ran longer than WithInvocationTimeout allows.
	ErrInvocationTimeout = errors.New("esm: the invocation timeout has passed")
	// ErrPartitionsGone: every partition of the batch was revoked from this member. Its records will be delivered again to
	// another member.
	ErrPartitionsGone = errors.New("esm: the batch's partitions are no longer assigned to this member")
)

// SourceError is a failure of the event source that ended Run: for example, the group fenced this member, the client
// failed for good, the secrets cannot be used, or WithStartTimeout passed.
type SourceError struct {
	// Op says what failed.
	Op string
	// Err is the cause, such as the driver's error.
	Err error
}

// Error returns what failed, and the cause.
func (e *SourceError) Error() string { return "esm: " + e.Op + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *SourceError) Unwrap() error { return e.Err }

// PanicError is a panic of a handler, turned into an error. It counts as a failed invocation; the mapping's limits
// decide whether it is retried.
type PanicError struct {
	// Value is the argument of panic.
	Value any
	// Stack is the goroutine's stack at the panic.
	Stack []byte
}

// Error returns the value that the handler panicked with, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("esm: the handler panicked: %v", e.Value) }

// Unwrap returns the value of the panic if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// StuckError names what was still running when Run returned: handlers that ignored the end of their context, and calls that did
// not return. Only then do goroutines outlive Run. What those handlers do later is never committed, and their records will be
// delivered again.
type StuckError struct {
	Handlers []StuckHandler
	Calls    []StuckCall
}

// StuckHandler is one invocation that did not return.
type StuckHandler struct {
	// Partitions has the first and last offset of each "topic-partition" in the batch.
	Partitions map[string]OffsetRange
	// Since is when the invocation began.
	Since time.Time
}

// OffsetRange is a range of offsets, both ends included.
type OffsetRange struct{ First, Last int64 }

// StuckCall is one call that did not return: of the Kafka client, a hook, a scaling policy or a secret store. With OpCommit it is
// a commit of handled records that did not succeed in time; they will be delivered again.
type StuckCall struct {
	// Op names the call. It is none of OpInvoke, OpBuffer and OpFetch.
	Op Op
	// Since is when it began.
	Since time.Time
	// Err is its error so far, if any.
	Err error
}

// Error names every handler and call that was still running.
func (e *StuckError) Error() string {
	var b strings.Builder
	b.WriteString("esm: stopped, but had to leave behind")
	sep := " "
	for _, h := range e.Handlers {
		fmt.Fprintf(&b, "%sa handler that has been running since %s on", sep, h.Since.Format(time.RFC3339))
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
