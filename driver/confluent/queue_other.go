//go:build cgo && !linux

package confluent

import (
	"log/slog"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// queue is for Linux alone: elsewhere the linker wants every symbol at once.
type queue struct{}

func noQueue() string { return "only Linux has the faster way" }

func newQueue(*kafka.Consumer, *slog.Logger) *queue { return nil }

func (*queue) next(*consumer, time.Duration) bool { return false }

func (*queue) free() {}
