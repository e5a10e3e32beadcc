package condition

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Said limits the log lines about one kind of frequent event: one at first, then one every half minute, which says how
// many were left out. It is safe for concurrent use.
type Said struct {
	mu    sync.Mutex
	few   allowance
	debug bool // log the lines left out at DEBUG
}

// SaidOfGroup returns the Said for what the group does with partitions. A single rebalance gets both of its lines. When
// rebalances follow each other, there is a line every two minutes, since conditions have lines too; the rest is at DEBUG.
func SaidOfGroup() Said {
	return Said{few: allowance{most: 2, each: 2 * time.Minute}, debug: true}
}

// Info writes a line, unless there have been too many.
func (s *Said) Info(log *slog.Logger, now time.Time, what string, args ...any) {
	s.say(log, slog.LevelInfo, now, what, args)
}

// Warn writes a line, unless there have been too many.
func (s *Said) Warn(log *slog.Logger, now time.Time, what string, args ...any) {
	s.say(log, slog.LevelWarn, now, what, args)
}

// Error writes a line, unless there have been too many.
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

// allowance limits a rate: most at once, and one more each period. It is not safe for concurrent use.
type allowance struct {
	most  int
	each  time.Duration
	spent int
	since time.Time // when the last one was regained
	kept  int       // how many were refused since the last one granted
}

// take reports whether one is granted now, and how many were refused since the last one granted.
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
