package franz

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/internal/repeat"
)

// logger writes kgo's log to slog. Its info lines become debug lines, and its debug lines trace lines, because kgo logs
// every rebalance step and every reconnect at its info level.
type logger struct {
	log  *slog.Logger
	said *repeat.Lines
}

func newLogger(log *slog.Logger) logger {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return logger{log.With("client", "franz-go"), new(repeat.Lines)}
}

const levelTrace = slog.LevelDebug - 4

// Level returns the most detailed of kgo's levels that is enabled. kgo asks before each line.
func (l logger) Level() kgo.LogLevel {
	for _, level := range [...]kgo.LogLevel{kgo.LogLevelDebug, kgo.LogLevelInfo, kgo.LogLevelWarn, kgo.LogLevelError} {
		if l.log.Enabled(context.Background(), slogLevel(level)) {
			return level
		}
	}
	return kgo.LogLevelNone
}

// Log writes one line, unless the same line was written in the last minute. Only values that identify the subject are
// compared: an error's text holds ports, which differ each time.
func (l logger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	if reported(msg) {
		level = kgo.LogLevelInfo
	}
	if slogLevel(level) >= slog.LevelInfo {
		var key strings.Builder
		key.WriteString(msg)
		for i := 0; i+1 < len(keyvals); i += 2 {
			switch keyvals[i] {
			case "addr", "broker", "topic", "partition", "group":
				fmt.Fprint(&key, " ", keyvals[i+1])
			}
		}
		ok, unsaid := l.said.First(key.String(), time.Now())
		if !ok {
			return
		}
		if unsaid > 0 {
			keyvals = append(slices.Clip(keyvals), "unsaid", unsaid)
		}
	}
	l.log.Log(context.Background(), slogLevel(level), msg, keyvals...)
}

// reported reports whether a line is about something that the driver itself reports, in a *driver.Error or a call's
// error. The driver's user logs those.
func reported(msg string) bool {
	switch msg {
	case "unable to open connection to broker", "group manage loop errored", "join group failed", "sync group failed":
		return true
	}
	return false
}

func slogLevel(level kgo.LogLevel) slog.Level {
	switch level {
	case kgo.LogLevelError:
		return slog.LevelError
	case kgo.LogLevelWarn:
		return slog.LevelWarn
	case kgo.LogLevelInfo:
		return slog.LevelDebug
	default:
		return levelTrace
	}
}
