// Package lookup asks the brokers what a member needs to know. It queues the lookups, runs them on goroutines, retries
// them after errors, and repeats some periodically.
package lookup
