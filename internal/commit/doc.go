// Package commit decides what a member commits, and when: the positions that moved and the starts that were found. It
// sends one request at a time on its own goroutine, and decides from the answers what to commit next.
package commit
