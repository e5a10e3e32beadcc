// Package esm runs AWS Lambda's event source mapping for self-managed Apache Kafka inside a Go process.
package esm
