// Package snapshot has what a member's loop publishes for Status: the state of each partition and what it waits for. It
// also sums up what several members published.
package snapshot
