// Package lookup is what a member wants to know of the brokers: the questions that wait, the goroutines that put them, what is asked
// again after an error, and what is asked now and then.
package lookup
