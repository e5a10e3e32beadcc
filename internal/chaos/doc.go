// Package chaos holds a single test: processes consume from Apache Kafka while processes, brokers and the
// network between them fail, and the brokers' own logs are the judge. See chaos_test.go for its flags.
package chaos
