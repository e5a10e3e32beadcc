// Package chaos holds a test alone: processes that consume from Apache Kafka while processes, brokers and the network
// between them fail, judged by what the brokers' own logs say. See chaos_test.go for its flags.
package chaos
