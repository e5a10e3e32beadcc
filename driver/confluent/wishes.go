//go:build cgo

package confluent

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/esm-go/esm/driver"
)

// wishes queues what Start, Pause and Resume ask for, until the poll goroutine applies it.
type wishes struct {
	some atomic.Bool // whether there are any, so that the poll goroutine need not lock
	mu   sync.Mutex
	list []wish
}

// wish is a request for one partition.
type wish struct {
	kind  wishKind
	start driver.Start // only its TopicPartition is set unless kind is wishStart
}

type wishKind uint8

const (
	wishStart wishKind = iota
	wishPause
	wishResume
)

func (w *wishes) add(more []wish) {
	if len(more) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, more...)
	w.some.Store(true)
}

// take returns and clears the list.
func (w *wishes) take() []wish {
	if !w.some.Load() {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.list
	w.list = nil
	w.some.Store(false)
	return list
}

// drop forgets the wishes for partitions that were just assigned: older ones belong to an earlier ownership.
func (w *wishes) drop(partitions []driver.TopicPartition) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = slices.DeleteFunc(w.list, func(one wish) bool {
		return slices.Contains(partitions, one.start.TopicPartition)
	})
	w.some.Store(len(w.list) > 0)
}

// Start begins or moves partitions.
func (c *consumer) Start(starts []driver.Start) {
	list := make([]wish, len(starts))
	for i, s := range starts {
		list[i] = wish{kind: wishStart, start: s}
	}
	c.wishes.add(list)
}

// Pause stops fetching partitions.
func (c *consumer) Pause(partitions []driver.TopicPartition) { c.wish(wishPause, partitions) }

// Resume continues partitions where the last returned run ended.
func (c *consumer) Resume(partitions []driver.TopicPartition) { c.wish(wishResume, partitions) }

func (c *consumer) wish(kind wishKind, partitions []driver.TopicPartition) {
	list := make([]wish, len(partitions))
	for i, tp := range partitions {
		list[i] = wish{kind: kind, start: driver.Start{TopicPartition: tp}}
	}
	c.wishes.add(list)
}
