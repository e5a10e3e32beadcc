// Package hook calls what a program gave with Hooks: those of a batch where the batch is, all others in turn on one goroutine.
package hook
