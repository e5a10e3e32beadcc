//go:build cgo

package esm

import "github.com/esm-go/esm/driver/confluent"

// defaultDriver is confluent-kafka-go, over librdkafka, where cgo is on.
func defaultDriver() Option { return WithDriver(confluent.Driver()) }
