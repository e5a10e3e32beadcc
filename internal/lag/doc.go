// Package lag is how far behind a process's partitions are: what an evaluation of the scaling reads of them, the question for the
// ends of their logs, and which of them stand still.
package lag
