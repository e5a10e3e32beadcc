// Package condition tracks what is wrong with a mapping: which conditions stand and who holds each, the log lines about
// them, what the errors of an event source mean, and the LastProcessingResult that follows.
package condition
