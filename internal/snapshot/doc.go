// Package snapshot is what a member's loop publishes for Status: how each partition stands, what it waits for, and the sum of what
// several members published.
package snapshot
