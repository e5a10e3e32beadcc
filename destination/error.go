package destination

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNotResolved is wrapped by a Resolver's error for a name of a kind that it does not know.
var ErrNotResolved = errors.New("destination: no resolver for this kind of destination")

// Reason classifies a destination's error.
type Reason string

const (
	// ReasonOther: none of the others; only the text says what is wrong.
	ReasonOther Reason = "Other"
	// ReasonUnavailable: no answer, or the service or cluster is down.
	ReasonUnavailable Reason = "Unavailable"
	// ReasonThrottled: too many requests.
	ReasonThrottled Reason = "Throttled"
	// ReasonAccessDenied: the credentials are missing, wrong or insufficient.
	ReasonAccessDenied Reason = "AccessDenied"
	// ReasonNotFound: the queue, topic or bucket does not exist.
	ReasonNotFound Reason = "NotFound"
	// ReasonTooLarge: the destination does not accept a message of this size.
	ReasonTooLarge Reason = "TooLarge"
	// ReasonInvalid: the request or the configuration is rejected.
	ReasonInvalid Reason = "Invalid"
)

// Error is the error of a destination. It contains no secrets.
type Error struct {
	// Destination is the destination's name: an ARN or kafka://topic.
	Destination string
	// Reason classifies the error.
	Reason Reason
	// Hint says what to do. It is empty if that is not known.
	Hint string
	// Err is the client's own error.
	Err error
}

// Error names the destination, its error and what to do.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "on-failure destination %s", e.Destination)
	if e.Reason != ReasonOther && e.Reason != "" {
		fmt.Fprintf(&b, ": %s", reasonTexts[e.Reason])
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, " (%s)", e.Hint)
	}
	return b.String()
}

var reasonTexts = map[Reason]string{
	ReasonUnavailable: "unavailable", ReasonThrottled: "throttled", ReasonAccessDenied: "access denied",
	ReasonNotFound: "not found", ReasonTooLarge: "too large", ReasonInvalid: "refused",
}

// Unwrap returns the client's own error.
func (e *Error) Unwrap() error { return e.Err }

// PartialError is the error of a Send if the destination acknowledged only part of the failure. A Sender then sends only
// Rest again. Otherwise a single record that a topic rejects would cause all the others to be written again with every
// retry.
type PartialError struct {
	// Rest holds the records that are not acknowledged.
	Rest *Failure
	// Err is the reason.
	Err error
}

// Error states the reason, and how many records are not acknowledged.
func (e *PartialError) Error() string {
	return fmt.Sprintf("%v (%d records are not acknowledged)", e.Err, e.Rest.Len())
}

// Unwrap returns the reason.
func (e *PartialError) Unwrap() error { return e.Err }

// PanicError is the error of a Send that panicked. The Send counts as failed.
type PanicError struct {
	Value any
	Stack []byte
}

// Error gives the value of the panic, without the stack.
func (e *PanicError) Error() string {
	return fmt.Sprintf("the destination's Send panicked: %v", e.Value)
}
