// Package stream is one member of a consumer group: a client, the goroutine that polls it, the loop that owns all state, and what
// works for that loop.
package stream
