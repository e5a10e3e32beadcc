package observe

import "time"

// FunctionProblem is implemented by a handler's error that says why the function cannot be invoked: it does not exist,
// it is not active, it is not permitted, or its processes do not start. *function.ConfigError and
// *function.NotFoundError implement it.
//
// A mapping whose invocation ends with such an error has a condition of that Kind, and the error's text as its
// LastProcessingResult. The next invocation that ends otherwise ends the condition.
type FunctionProblem interface {
	error
	// FunctionProblem returns Lambda's code for it, such as FUNCTION_CONFIG_NOT_VALID or ResourceNotFoundException.
	FunctionProblem() (code string)
}

// Pauser is implemented by an error inside Throttled that says how long to wait, such as *function.ThrottleError. A
// mapping whose own pause would be shorter waits that long before the retry, but never longer than WithRetryBackoff
// allows.
type Pauser interface {
	error
	// Pause returns how long to wait, or 0 if that is unknown.
	Pause() time.Duration
}
