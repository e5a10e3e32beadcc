package condition

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Said bounds the lines of the log about one kind of thing that can happen often: one, and another one each half minute, which
// says how many there were between. Safe for concurrent use.
type Said struct {
	mu    sync.Mutex
	few   allowance
	debug bool // the lines that are left out are at DEBUG
}

// SaidOfGroup returns the Said for what the group does with partitions. A single rebalance has both of its lines. Where one
// follows the other there is a line each two minutes, since conditions have lines beside it; the rest is at DEBUG.
func SaidOfGroup() Said {
	return Said{few: allowance{most: 2, each: 2 * time.Minute}, debug: true}
}

// Info writes a line, unless there have been many.
func (s *Said) Info(log *slog.Logger, now time.Time, what string, args ...any) {
	s.say(log, slog.LevelInfo, now, what, args)
}

// Warn writes a line, unless there have been many.
func (s *Said) Warn(log *slog.Logger, now time.Time, what string, args ...any) {
	s.say(log, slog.LevelWarn, now, what, args)
}

// Error writes a line, unless there have been many.
func (s *Said) Error(log *slog.Logger, now time.Time, what string, args ...any) {
	s.say(log, slog.LevelError, now, what, args)
}

func (s *Said) say(log *slog.Logger, level slog.Level, now time.Time, what string, args []any) {
	s.mu.Lock()
	if s.few.most == 0 {
		s.few = allowance{most: 1, each: oneMoreEach}
	}
	ok, kept := s.few.take(now)
	s.mu.Unlock()
	if !ok {
		if s.debug {
			log.Debug(what, args...)
		}
		return
	}
	if kept > 0 {
		args = append(args, "unsaid", kept)
	}
	log.Log(context.Background(), level, what, args...)
}

// allowance bounds how often something is said: so many times at once, once more each so often. Not safe for concurrent use.
type allowance struct {
	most  int
	each  time.Duration
	spent int
	since time.Time // when the last one came back
	kept  int       // how many were refused since the last that was not
}

// take reports whether it may be said now, and how often it was not since the last time.
func (a *allowance) take(now time.Time) (ok bool, kept int) {
	if a.spent > 0 {
		back := int(now.Sub(a.since) / a.each)
		a.spent = max(0, a.spent-back)
		a.since = a.since.Add(time.Duration(back) * a.each)
	}
	if a.spent == 0 {
		a.since = now
	}
	if a.spent >= a.most {
		a.kept++
		return false, 0
	}
	a.spent++
	kept, a.kept = a.kept, 0
	return true, kept
}
