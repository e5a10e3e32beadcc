//go:build cgo

package kafka_test

import "github.com/esm-go/esm/driver/confluent"

func init() { drivers["confluent"] = confluent.Driver() }
