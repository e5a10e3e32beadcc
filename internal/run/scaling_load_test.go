package run

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/shared"
	"github.com/esm-go/esm/observe"
)

// load is a slow handler, with what was observed of it.
type load struct {
	mu            sync.Mutex
	time          time.Duration
	running, most int
	handled       int
	next          map[string]int64 // next offset, by partition
	wrong         []string
	scaled        []observe.ScaledInfo
}

func (l *load) handle(_ context.Context, e event.KafkaEvent) error {
	l.mu.Lock()
	l.running++
	l.most = max(l.most, l.running)
	took := l.time
	if l.next == nil {
		l.next = make(map[string]int64)
	}
	for key, records := range e.Records {
		for _, r := range records {
			if r.Offset != l.next[key] {
				l.wrong = append(l.wrong, fmt.Sprintf("%s: offset %d where %d was due", key, r.Offset, l.next[key]))
			}
			l.next[key] = r.Offset + 1
		}
	}
	l.mu.Unlock()
	time.Sleep(took)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	l.handled += e.Len()
	return nil
}

func (l *load) hooks() Option {
	return WithHooks(observe.Hooks{Scaled: func(i observe.ScaledInfo) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.scaled = append(l.scaled, i)
	}})
}

// decisions returns what the hook received.
func (l *load) decisions() []observe.ScaledInfo {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]observe.ScaledInfo(nil), l.scaled...)
}

// takeMost returns the most concurrent invocations since the last call.
func (l *load) takeMost() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	most := l.most
	l.most = l.running
	return most
}

func (l *load) check(t *testing.T, handled int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.wrong) > 0 {
		t.Errorf("order: %d faults, first %s", len(l.wrong), l.wrong[0])
	}
	if l.handled != handled {
		t.Errorf("handled %d records, want %d", l.handled, handled)
	}
}

// spread returns n records spread over partitions.
func spread(n, partitions int) []membroker.Record {
	records := make([]membroker.Record, n)
	for i := range records {
		records[i] = membroker.Record{Partition: int32(i % partitions), Value: []byte("x")}
	}
	return records
}

func small() *shared.Settings {
	s := defaults()
	s.BatchSize, s.Window = 10, 0
	return s
}
