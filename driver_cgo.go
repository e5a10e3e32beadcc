//go:build cgo

package esm

import "github.com/esm-go/esm/driver/confluent"

// defaultDriver selects confluent-kafka-go, over librdkafka, when cgo is on.
func defaultDriver() Option { return WithDriver(confluent.Driver()) }
