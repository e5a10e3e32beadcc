package manager

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"sync"

	"github.com/esm-go/esm/observe/diag"
	"github.com/esm-go/esm/observe/pollerlog"
)

// keptPollerEvents is how many events of a mapping's poller log are kept.
const keptPollerEvents = 50

// Log is what a mapping said last, in this process.
type Log struct {
	// Events are the last fifty lines of the mapping's own log from INFO on, the newest first. Lines of a logger that
	// WithRunnerOptions gives are not among them.
	Events []diag.Event
	// Poller are the last fifty events of its poller log, the newest first, each the JSON that AWS Lambda writes. Which there
	// are LoggingConfig.SystemLogLevel says; KAFKA_STATUS_EVENT, which comes for each partition each minute, is never
	// among them: Status has the offsets.
	Poller [][]byte
}

// Log returns what a mapping said last; the error wraps ErrNotFound where it is not there.
func (m *Manager) Log(id string) (Log, error) {
	u := m.unit(id)
	if u == nil {
		return Log{}, notFound(id)
	}
	return Log{Events: u.journal.Events(), Poller: u.poller.recent()}, nil
}

// pollerLog is what a mapping's poller log is written to: it keeps the last events and passes all of them on.
type pollerLog struct {
	out io.Writer

	mu   sync.Mutex
	kept [][]byte // the oldest first
}

// Write takes in one event with its newline. The Runner writes one at a time.
func (p *pollerLog) Write(line []byte) (int, error) {
	var event struct {
		LogLevel string `json:"logLevel"`
	}
	if err := json.Unmarshal(line, &event); err != nil {
		return 0, err
	}
	if event.LogLevel != pollerlog.Debug {
		p.keep(bytes.Clone(bytes.TrimSuffix(line, []byte("\n"))))
	}
	if p.out == nil {
		return len(line), nil
	}
	return p.out.Write(line)
}

func (p *pollerLog) keep(event []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.kept) == keptPollerEvents {
		copy(p.kept, p.kept[1:])
		p.kept = p.kept[:keptPollerEvents-1]
	}
	p.kept = append(p.kept, event)
}

// recent returns what is kept, the newest first.
func (p *pollerLog) recent() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	events := slices.Clone(p.kept)
	slices.Reverse(events)
	return events
}

// lockedWriter lets the mappings write to one io.Writer in turn.
type lockedWriter struct {
	mu  sync.Mutex
	out io.Writer
}

func (w *lockedWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(line)
}
