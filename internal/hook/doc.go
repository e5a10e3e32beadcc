// Package hook calls a program's Hooks: those of a batch on the invocation's goroutine, all others in turn on one
// goroutine.
package hook
