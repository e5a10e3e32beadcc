// Package operation carries an operation on one partition from its caller to the loop that owns the partition, where it
// waits and ends. What an operation does is up to the member.
package operation
