// Package partition is the state of one partition while a member owns it, and of what is in flight for it: an invocation,
// or a handover to the destination. It is passive. Unless stated otherwise, only the loop uses it.
package partition
