// Package stream implements one member of a consumer group: a client, the goroutine that polls it, the loop that owns
// all state, and the goroutines that work for the loop.
package stream
