// Package condition knows what is wrong with a mapping: the conditions that stand, who holds each, the lines of the log about
// them, what the errors of an event source mean, and the LastProcessingResult that follows.
package condition
