package esm

import (
	"time"

	"github.com/esm-go/esm/internal/limit"
	"github.com/esm-go/esm/internal/run"
)

// WithRetryBackoff sets the pauses between tries of a failed batch: first after one failure, doubled after each further
// failure up to most. Each pause is drawn at random between half of that and all of it. Where a Throttled error knows how long the other side
// wants to be left alone (observe.Pauser), the pause is no shorter than that, up to most. Default 100 ms to 30 s.
func WithRetryBackoff(first, most time.Duration) Option {
	return optionFunc(func(o *options) {
		o.Check(first > 0 && most >= first, "WithRetryBackoff", []time.Duration{first, most}, "0 < first ≤ most")
		o.Backoff = limit.Backoff{First: first, Most: most}
	})
}

// CircuitBreaker stops invoking and fetching while the handler fails everywhere; see WithCircuitBreaker.
type CircuitBreaker struct {
	// Failures is how many invocations in a row have to fail, with no success on any partition, to open the circuit. They
	// have to be on two partitions at least, where the process has two. Default, and for 0: 20.
	Failures int
	// Cooldown is how long an open circuit stays open. Then it is half-open: fetching goes on, and one batch at a time is
	// tried, until one succeeds, which closes the circuit, or fails, which opens it for another Cooldown. A partial failure
	// counts as a success when more than half of the batch's records are done. Default, and for 0: 30 s.
	Cooldown time.Duration
}

// WithCircuitBreaker stops the mapping for a while when the handler fails on everything, as it does when a database
// behind it is away: after b.Failures failures in a row nothing is invoked and nothing fetched for b.Cooldown. Default: no
// circuit breaker; failed batches are retried by WithRetryBackoff alone.
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
