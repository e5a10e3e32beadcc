// Package stop tracks the stop of a process: when it has to be over, and what it had to leave behind.
package stop
