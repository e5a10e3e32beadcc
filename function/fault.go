package function

import (
	"errors"
	"fmt"
	"time"

	"github.com/esm-go/esm"
)

// Errors of invocations that the function did not answer.
var (
	// ErrNotInvoked is wrapped by errors of invocations that never reached the function. They use no attempt.
	ErrNotInvoked = errors.New("the function was not invoked")
	// ErrPayloadTooLarge is wrapped by the error for an event over the target's limit, by default Lambda's 6 MB. A
	// retry cannot succeed, so the error is Permanent.
	ErrPayloadTooLarge = errors.New("function: the event is over the payload limit")
)

// ConfigNotValid is the StateTransitionReason, and the Code, of a *ConfigError: FUNCTION_CONFIG_NOT_VALID.
const ConfigNotValid = esm.ReasonFunctionConfigNotValid

// ConfigError says that a function cannot be invoked as it is: it does not exist, is not active, the caller lacks
// permission, or its processes do not start. It uses no attempt: records wait until the function is fixed.
type ConfigError struct {
	// Function is the function's name or ARN.
	Function string
	// Reason says what is wrong and what to do about it.
	Reason string
	// Err is the cause. It may be nil.
	Err error
}

// Error names the function and says what is wrong and what to do.
func (e *ConfigError) Error() string {
	return fmt.Sprintf("%s: function %s: %s", ConfigNotValid, e.Function, e.Reason)
}

// Unwrap returns the cause.
func (e *ConfigError) Unwrap() error { return e.Err }

// Code returns FUNCTION_CONFIG_NOT_VALID.
func (e *ConfigError) Code() string { return ConfigNotValid }

// FunctionProblem returns the Code. It makes the mapping's Status show the error while it lasts.
func (e *ConfigError) FunctionProblem() string { return e.Code() }

// ThrottleError says that the function is overloaded. A Handler returns it inside esm.Throttled.
type ThrottleError struct {
	Function string
	// RetryAfter is how long the target asked to wait, 0 if it did not say.
	RetryAfter time.Duration
	// Err is the target's own error.
	Err error
}

// Error names the function and, if known, says how long it is throttled.
func (e *ThrottleError) Error() string {
	text := "function " + e.Function + " is throttled"
	if e.RetryAfter > 0 {
		text += fmt.Sprintf(" for %v", e.RetryAfter)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Pause returns RetryAfter. The mapping retries no sooner.
func (e *ThrottleError) Pause() time.Duration { return e.RetryAfter }

// Unwrap returns Err.
func (e *ThrottleError) Unwrap() error { return e.Err }

// StatusError is an HTTP status that is not a success and has no specific meaning.
type StatusError struct {
	Function   string
	StatusCode int
	// Body is the beginning of the answer's body. Error leaves it out, because it may quote the event.
	Body string
}

// Error names the function and the status.
func (e *StatusError) Error() string {
	return fmt.Sprintf("function %s answered with status %d", e.Function, e.StatusCode)
}

// ReplyError is an answer that cannot be read as a partial batch response. The whole batch fails.
type ReplyError struct {
	Function string
	// Reason says what is wrong, without quoting the answer.
	Reason string
}

// Error names the function and says what is wrong with its answer.
func (e *ReplyError) Error() string {
	return fmt.Sprintf("function %s: its answer cannot be read as a partial batch response: %s", e.Function, e.Reason)
}
