// Package run runs one mapping in a process: its members and their number, credentials and their rotation, states,
// Update, Status, and the stop.
package run
