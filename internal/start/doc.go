// Package start finds out where partitions begin and where they continue: it has the lookups at the brokers, what the
// answers mean, and the notes that commits carry for future members.
package start
