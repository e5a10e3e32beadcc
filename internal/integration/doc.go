// Package integration holds the tests of the whole library through its public API: mappings run against a
// broker, and the tests check the results at the broker. Most run on the in-process Kafka, once for each
// driver; those with "Kafka" in their names run on Apache Kafka itself, see package kafkatest.
package integration
