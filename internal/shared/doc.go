// Package shared is what the members of one mapping share: the current settings, the counters, and what there must be
// only one of.
package shared
