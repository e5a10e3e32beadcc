// Package commit is what a member commits, and when: the positions that moved, the starts that were found, one request at a time on
// a goroutine of its own, and what the answers mean for the next one.
package commit
