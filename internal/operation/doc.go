// Package operation is what somebody asked for one partition: how a call reaches the loop that owns the partition, waits there, and
// ends. What an operation does is the member's.
package operation
