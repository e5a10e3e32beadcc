// Package intake processes a run of records before the loop sees it: it filters and measures. It runs on the poll
// goroutine.
package intake
