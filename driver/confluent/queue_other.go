//go:build cgo && !linux

package confluent

import (
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// queue is for Linux alone: elsewhere the linker wants every symbol at once.
type queue struct{}

func newQueue(*kafka.Consumer) *queue { return nil }

func (*queue) next(*consumer, time.Duration) bool { return false }

func (*queue) free() {}
