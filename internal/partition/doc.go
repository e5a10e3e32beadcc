// Package partition is one partition for as long as a member owns it, and what is under way for it: an invocation, or a handover to
// the destination. It is passive, and but for what says otherwise it is the loop's alone.
package partition
