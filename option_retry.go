package esm

import (
	"time"

	"github.com/esm-go/esm/internal/limit"
	"github.com/esm-go/esm/internal/run"
)

// WithRetryBackoff sets the pauses between the attempts of a failed batch: first after one failure, doubled after each
// further failure up to most. Each pause is drawn at random between half of that and all of it. If a Throttled error
// says how long to wait (observe.Pauser), the pause is no shorter than that, up to most. Default 100 ms to 30 s.
func WithRetryBackoff(first, most time.Duration) Option {
	return optionFunc(func(o *options) {
		o.Check(first > 0 && most >= first, "WithRetryBackoff", []time.Duration{first, most}, "0 < first ≤ most")
		o.Backoff = limit.Backoff{First: first, Most: most}
	})
}

// CircuitBreaker stops invoking and fetching while every invocation fails; see WithCircuitBreaker.
type CircuitBreaker struct {
	// Failures is how many invocations in a row must fail, with no success on any partition, to open the circuit. They
	// must be on at least two partitions, if the process has two. Default, and for 0: 20.
	Failures int
	// Cooldown is how long an open circuit stays open. Then it is half-open: fetching resumes and one batch at a time is
	// tried. A success closes the circuit, a failure opens it for another Cooldown. A partial failure counts as a success
	// when more than half of the batch's records are done. Default, and for 0: 30 s.
	Cooldown time.Duration
}

// WithCircuitBreaker stops the mapping for a while when every invocation fails, for example because the handler's
// database is down: after b.Failures failures in a row nothing is invoked or fetched for b.Cooldown. Default: no
// circuit breaker; only WithRetryBackoff paces the retries of failed batches.
func WithCircuitBreaker(b CircuitBreaker) Option {
	return optionFunc(func(o *options) {
		o.Check(b.Failures >= 0 && b.Cooldown >= 0, "WithCircuitBreaker", b, "no negative numbers")
		if b.Failures == 0 {
			b.Failures = 20
		}
		if b.Cooldown == 0 {
			b.Cooldown = 30 * time.Second
		}
		o.Breaker = run.Breaker(b)
	})
}
