package destination

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNotResolved is wrapped by a Resolver's error for a name of a kind that it does not know.
var ErrNotResolved = errors.New("destination: no resolver for this kind of destination")

// Reason classes what a destination refused.
type Reason string

const (
	// ReasonOther is worth its text alone.
	ReasonOther Reason = "Other"
	// ReasonUnavailable: no answer, or the service or cluster is down.
	ReasonUnavailable Reason = "Unavailable"
	// ReasonThrottled: too many requests.
	ReasonThrottled Reason = "Throttled"
	// ReasonAccessDenied: the credentials are missing, wrong or not enough.
	ReasonAccessDenied Reason = "AccessDenied"
	// ReasonNotFound: there is no such queue, topic or bucket.
	ReasonNotFound Reason = "NotFound"
	// ReasonTooLarge: the destination takes no message of this size.
	ReasonTooLarge Reason = "TooLarge"
	// ReasonInvalid: the destination refuses the request or its own settings.
	ReasonInvalid Reason = "Invalid"
)

// Error is what a destination had to say. Nothing in it is a secret.
type Error struct {
	// Destination is its name: an ARN or kafka://topic.
	Destination string
	// Reason classes it.
	Reason Reason
	// Hint says what to do, empty where that is not known.
	Hint string
	// Err is the client's own error.
	Err error
}

// Error names the destination, what it said and what to do.
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

// PartialError is a Send's error where a part of the failure was acknowledged: only Rest is to be sent again. A Sender
// heeds it; without it one record that a topic refuses would have all the others written again and again.
type PartialError struct {
	// Rest holds the records that are not acknowledged.
	Rest *Failure
	// Err is why.
	Err error
}

// Error says why, and how much is left.
func (e *PartialError) Error() string {
	return fmt.Sprintf("%v (%d records are not acknowledged)", e.Err, e.Rest.Len())
}

// Unwrap returns the reason.
func (e *PartialError) Unwrap() error { return e.Err }

// PanicError is a Send that panicked, which counts as one that failed.
type PanicError struct {
	Value any
	Stack []byte
}

// Error says with what it panicked, without the stack.
func (e *PanicError) Error() string {
	return fmt.Sprintf("the destination's Send panicked: %v", e.Value)
}
