// Package verdict says what a handler's error means, and what becomes of the records that it failed: tried again, split,
// kept in part, or given up.
package verdict
