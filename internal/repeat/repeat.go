// Package repeat bounds how often the same line of a log is written: Kafka's clients write what fails with every attempt.
package repeat

import (
	"maps"
	"sync"
	"time"
)

const (
	// Every is how often the same line is written.
	Every = time.Minute
	// most bounds how many lines are remembered.
	most = 256
)

// Lines remembers the lines of the last minute. The zero value is ready. It is safe for concurrent use.
type Lines struct {
	mu   sync.Mutex
	said map[string]*line
}

type line struct {
	at     time.Time
	unsaid int
}

// First reports whether a line is to be written now, and how often the same was not since the last time. key is what is the same
// of it each time.
func (l *Lines) First(key string, now time.Time) (ok bool, unsaid int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if said := l.said[key]; said != nil {
		if now.Sub(said.at) < Every {
			said.unsaid++
			return false, 0
		}
		unsaid = said.unsaid
		said.at, said.unsaid = now, 0
		return true, unsaid
	}
	if len(l.said) >= most {
		maps.DeleteFunc(l.said, func(_ string, said *line) bool { return now.Sub(said.at) >= Every })
	}
	if len(l.said) >= most {
		return true, 0 // as many different lines in a minute have something to tell
	}
	if l.said == nil {
		l.said = make(map[string]*line)
	}
	l.said[key] = &line{at: now}
	return true, 0
}
