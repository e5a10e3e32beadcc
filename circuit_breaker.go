package esm

import "time"

// CircuitBreaker stops the intake while the handler fails everywhere; see WithCircuitBreaker.
type CircuitBreaker struct {
	// Failures in a row, with no success between them on any partition, open the circuit. Default 20.
	Failures int
	// Cooldown is how long nothing is invoked and nothing fetched. Then the circuit is half-open: fetching goes on, and one
	// batch at a time is tried, until one succeeds, which closes the circuit, or fails, which opens it for another
	// Cooldown. A partial failure counts as a success when more than half of the batch's records are done. Default 30 s.
	Cooldown time.Duration
}
