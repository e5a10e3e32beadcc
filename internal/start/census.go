package start

import (
	"context"
	"errors"
	"sync"

	"github.com/esm-go/esm/driver"
)

// Census is the set of topics that existed when the mapping first asked. A topic created later begins at its beginning,
// whatever StartingPosition says: nobody can have meant to skip what was produced before the first look at it. The census
// belongs to the mapping, so members that join later or replace others use the same one. It is safe for concurrent use.
type Census struct {
	mu    sync.Mutex
	taken bool
	// ids has the topics' ids, zero if unknown.
	ids map[string][16]byte
	// opaque has topics for which the brokers did not say whether they exist.
	opaque map[string]bool
}

// takeCensus looks up the topics that the mapping reads, once. TRIM_HORIZON does not need it.
func (a *Asker) takeCensus(ctx context.Context, start Policy) error {
	if start.At == driver.AtEarliest || a.Census.known() {
		return nil
	}
	topics, err := a.Consumer.Topics(ctx)
	if err != nil {
		return err
	}
	a.Census.take(topics)
	return nil
}

func (c *Census) known() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.taken
}

// take keeps the first answer.
func (c *Census) take(topics []driver.Topic) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken {
		return
	}
	c.taken, c.ids, c.opaque = true, make(map[string][16]byte), make(map[string]bool)
	for _, t := range topics {
		var e *driver.Error
		switch {
		case t.Err == nil:
			c.ids[t.Name] = t.ID
		case !errors.As(t.Err, &e) || e.Kind != driver.KindUnknownTopic:
			c.opaque[t.Name] = true
		}
	}
}

// later reports whether a topic that exists now did not exist, or was another one, when the mapping first asked.
func (c *Census) later(topic string, id [16]byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.taken || c.opaque[topic] {
		return false
	}
	was, there := c.ids[topic]
	return !there || was != id && was != ([16]byte{}) && id != ([16]byte{})
}
