// Package shared is what the members of one mapping share: its settings as they now are, the counters, and the rooms that hold what
// has to be one.
package shared
