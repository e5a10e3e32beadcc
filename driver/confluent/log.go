//go:build cgo

package confluent

import (
	"context"
	"log/slog"
	"regexp"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/internal/repeat"
)

// logPump forwards librdkafka's log to a slog.Logger. The consumer owns it: start, then stop once librdkafka is closed.
type logPump struct {
	logger *slog.Logger
	said   repeat.Lines
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

// changing matches what differs between otherwise equal lines: the thread and the connection to a broker, times and
// counts.
var changing = regexp.MustCompile(`^\[thrd:[^\]]*\]: |GroupCoordinator: |(/(bootstrap|[0-9]+))?: |,? ?[0-9]+ identical error\(s\) suppressed|[0-9]+ ?ms|0x[0-9a-f]+`)

func (l *logPump) log(event kafka.LogEvent) {
	level := slogLevel(event.Level)
	if event.Tag == "FAIL" && level == slog.LevelInfo {
		level = slog.LevelDebug // a closed connection: if no broker is left, the driver reports that as an error
	}
	attrs := []slog.Attr{slog.String("client", event.Name), slog.String("tag", event.Tag)}
	if level >= slog.LevelInfo { // debug lines are never suppressed
		ok, unsaid := l.said.First(changing.ReplaceAllString(event.Message, ""), time.Now())
		if !ok {
			return
		}
		if unsaid > 0 {
			attrs = append(attrs, slog.Int("unsaid", unsaid))
		}
	}
	l.logger.LogAttrs(context.Background(), level, event.Message, attrs...)
}
