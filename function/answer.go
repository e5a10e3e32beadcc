package function

import (
	"fmt"
	"net/http"
	"time"

	"github.com/esm-go/esm"
)

// Unhandled is the FunctionError that Lambda reports for nearly every failure of a function.
const Unhandled = "Unhandled"

// Answer is the response of Lambda's Invoke, or its equivalent from another target.
type Answer struct {
	// StatusCode is the HTTP status; 0 counts as 200.
	StatusCode int
	// RetryAfter is how long a 429 or 503 asked to wait, 0 if it did not say.
	RetryAfter time.Duration
	// FunctionError is the header X-Amz-Function-Error: empty if the function succeeded, else Unhandled or Handled. The
	// Payload then describes the error.
	FunctionError string
	// ExecutedVersion is the header X-Amz-Executed-Version, empty if not known.
	ExecutedVersion string
	// RequestID is the target's own ID for the invocation, if it has one.
	RequestID string
	// Payload is what the function returned.
	Payload []byte
	// Err is the Go error that a function in this process returned; errors.Is finds it. It is nil for other targets.
	Err error
}

// read returns the error that a Handler returns for the answer, and how many batchItemFailures it ignored.
func (a *Answer) read(c *Caller, requestID string, partial bool) (ignored int, err error) {
	switch {
	case a.FunctionError != "":
		e := parseError(a.Payload)
		e.Function, e.RequestID = c.name, or(a.RequestID, requestID)
		e.StatusCode, e.FunctionError, e.ExecutedVersion, e.Err = a.status(), a.FunctionError, a.ExecutedVersion, a.Err
		return 0, e
	case a.StatusCode == http.StatusTooManyRequests, a.StatusCode == http.StatusServiceUnavailable && a.RetryAfter > 0:
		return 0, esm.Throttled(&ThrottleError{Function: c.name, RetryAfter: a.RetryAfter, Err: a.statusError(c.name)})
	case a.StatusCode == http.StatusRequestEntityTooLarge:
		return 0, esm.Permanent(fmt.Errorf("%w: function %s answered 413", ErrPayloadTooLarge, c.name))
	case a.StatusCode != 0 && (a.StatusCode < 200 || a.StatusCode > 299):
		return 0, a.statusError(c.name)
	}
	items, err := parseItems(a.Payload)
	if !partial {
		return len(items), nil
	}
	if err != nil {
		return 0, &ReplyError{Function: c.name, Reason: err.Error()}
	}
	return 0, esm.ItemFailures(items...)
}

func (a *Answer) status() int {
	if a.StatusCode == 0 {
		return http.StatusOK
	}
	return a.StatusCode
}

func (a *Answer) statusError(function string) *StatusError {
	return &StatusError{Function: function, StatusCode: a.StatusCode, Body: clip(string(a.Payload), 512)}
}
