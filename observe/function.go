package observe

import "time"

// FunctionProblem is what an error of a handler implements that stands for a function which cannot be invoked as it is: gone,
// not active, not permitted, its processes do not start. While it is what invocations end with, a mapping has a condition of
// that Kind, whose text is the LastProcessingResult; it ends with the first invocation that ends in another way.
// *function.ConfigError and *function.NotFoundError are such errors.
type FunctionProblem interface {
	error
	// FunctionProblem returns Lambda's code for it: FUNCTION_CONFIG_NOT_VALID, ResourceNotFoundException.
	FunctionProblem() (code string)
}

// Pauser is what an error inside Throttled implements that knows how long the other side wants to be left alone, such as
// *function.ThrottleError. A mapping waits for so long before it tries again, where its own pause is shorter,
// up to the longest that WithRetryBackoff allows.
type Pauser interface {
	error
	// Pause returns how long, 0 where that is not known.
	Pause() time.Duration
}
