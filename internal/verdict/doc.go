// Package verdict decides what a handler's error means, and what happens to the failed records: they are retried, split,
// kept in part, or given up.
package verdict
