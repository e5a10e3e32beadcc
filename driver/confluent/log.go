//go:build cgo

package confluent

import (
	"context"
	"log/slog"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// logPump hands librdkafka's log to a slog.Logger. The consumer owns it: start, and stop when librdkafka is closed.
type logPump struct {
	logger *slog.Logger
	events chan kafka.LogEvent
	quit   chan struct{}
	done   chan struct{}
}

func newLogPump(logger *slog.Logger) *logPump {
	return &logPump{
		logger: logger,
		events: make(chan kafka.LogEvent, 256),
		quit:   make(chan struct{}),
		done:   make(chan struct{}),
	}
}

func (l *logPump) level() int {
	return logLevel(l.logger.Enabled(context.Background(), slog.LevelDebug))
}

func (l *logPump) start() {
	go func() {
		defer close(l.done)
		for {
			select {
			case event := <-l.events:
				l.log(event)
			case <-l.quit:
				l.drain()
				return
			}
		}
	}()
}

// stop writes what is left and waits for the goroutine.
func (l *logPump) stop() {
	close(l.quit)
	<-l.done
}

func (l *logPump) drain() {
	for {
		select {
		case event := <-l.events:
			l.log(event)
		default:
			return
		}
	}
}

func (l *logPump) log(event kafka.LogEvent) {
	l.logger.LogAttrs(context.Background(), slogLevel(event.Level), event.Message,
		slog.String("client", event.Name), slog.String("tag", event.Tag))
}
