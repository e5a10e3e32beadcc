// Package run is one mapping in a process: its members and their number, the credentials and their rotation, the states, Update,
// Status, and the stop of it all.
package run
