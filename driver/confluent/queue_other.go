//go:build cgo && !linux

package confluent

import (
	"log/slog"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// queue works only on Linux: on other systems the linker requires all symbols at link time.
type queue struct{}

func noQueue() string { return "only Linux has the faster way" }

func newQueue(*kafka.Consumer, *slog.Logger) *queue { return nil }

func (*queue) next(*consumer, time.Duration) bool { return false }

func (*queue) free() {}
