// Package limit holds what the members of a mapping share: worker slots, bytes of memory, the circuit, and the pause between
// tries.
package limit
