// Package start finds out where partitions begin and where they go on: the questions to the brokers, what the answers mean, and
// the notes that commits carry for the members to come.
package start
