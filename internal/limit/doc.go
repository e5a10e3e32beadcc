// Package limit has what the members of a mapping share: worker slots, bytes of memory, the circuit and orphaned
// invocations. It also has the backoff between retries.
package limit
