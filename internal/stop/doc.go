// Package stop knows the stop of a process: by when it has to be over, and what it had to leave behind.
package stop
