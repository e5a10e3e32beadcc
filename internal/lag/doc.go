// Package lag tells how far behind a process's partitions are: it has what a scaling evaluation reads of them, the lookup
// of their logs' ends, and the search for partitions that stand still.
package lag
