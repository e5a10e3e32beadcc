package diag

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// kept is how many events a Journal keeps.
const kept = 50

// Event is one line of the mapping's log.
type Event struct {
	Time  time.Time `json:"time"`
	Level string    `json:"level"`
	// What is the message, Attributes the attributes as key=value.
	What       string `json:"what"`
	Attributes string `json:"attributes,omitempty"`
}

// Journal is a slog.Handler for WithLogger. It keeps the last fifty lines at INFO and above, and passes on all lines. A
// mapping logs each decision and event once: states, assignments, revocations, decisions of the scaling policy,
// credentials, starts and ends of conditions. A Journal is safe for concurrent use.
type Journal struct {
	ring *ring
	next slog.Handler
	// attrs is the text of the attributes that WithAttrs added, prefix that of the groups.
	attrs, prefix string
}

var _ slog.Handler = (*Journal)(nil)

type ring struct {
	mu   sync.Mutex
	list []Event // once it is full, the oldest is at index at
	at   int
}

// NewJournal returns a Journal that passes lines on to next. If next is nil, it only keeps them.
func NewJournal(next slog.Handler) *Journal {
	if next == nil {
		next = slog.DiscardHandler
	}
	return &Journal{ring: new(ring), next: next}
}

// Events returns the kept lines, newest first.
func (j *Journal) Events() []Event {
	j.ring.mu.Lock()
	defer j.ring.mu.Unlock()
	n := len(j.ring.list)
	events := make([]Event, 0, n)
	for i := range n {
		events = append(events, j.ring.list[(j.ring.at+2*n-1-i)%n])
	}
	return events
}

// Enabled reports whether a line is kept or passed on.
func (j *Journal) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo || j.next.Enabled(ctx, level)
}

// Handle keeps a line and passes it on.
func (j *Journal) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelInfo {
		var b strings.Builder
		b.WriteString(j.attrs)
		r.Attrs(func(a slog.Attr) bool {
			text(&b, j.prefix, a)
			return true
		})
		j.ring.add(Event{Time: r.Time, Level: r.Level.String(), What: r.Message, Attributes: strings.TrimSpace(b.String())})
	}
	if !j.next.Enabled(ctx, r.Level) {
		return nil
	}
	return j.next.Handle(ctx, r)
}

func (r *ring) add(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.list) < kept {
		r.list = append(r.list, e)
		return
	}
	r.list[r.at] = e
	r.at = (r.at + 1) % kept
}

// WithAttrs returns a Journal that adds attributes and keeps its lines with those of j.
func (j *Journal) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	b.WriteString(j.attrs)
	for _, a := range attrs {
		text(&b, j.prefix, a)
	}
	return &Journal{ring: j.ring, next: j.next.WithAttrs(attrs), attrs: b.String(), prefix: j.prefix}
}

// WithGroup returns a Journal that puts attributes into a group and keeps its lines with those of j.
func (j *Journal) WithGroup(name string) slog.Handler {
	if name == "" {
		return j
	}
	return &Journal{ring: j.ring, next: j.next.WithGroup(name), attrs: j.attrs, prefix: j.prefix + name + "."}
}

// text writes an attribute as " key=value".
func text(b *strings.Builder, prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, inner := range v.Group() {
			text(b, prefix, inner)
		}
		return
	}
	const most = 500
	s := strings.Join(strings.Fields(v.String()), " ")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	b.WriteString(" " + prefix + a.Key + "=" + s)
}
