// Package goroutine runs calls on goroutines that outlive them.
package goroutine
