package model

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/observe"
)

// The group's on-failure destination is slow, down, unresponsive, forgets to answer, panics and accepts half.
// The oracle adds these rules:
//
//   - the destination only receives what the mapping's limits allow to give up, as it was produced, and under
//     the same id each time;
//   - with a destination nothing is dropped: what is not handled, filtered out or gone is in it;
//   - while partitions move only in orderly rebalances, a record that was handled is not sent, and one that was
//     acknowledged is neither handled nor sent again, unless the partition has moved in between;
//   - nothing is sent after it was closed.

// The situations in which the model needs a destination.
const (
	destSent      = "a record in the destination"
	destAge       = "a record in the destination, too old"
	destLost      = "a destination that forgets to answer"
	destRepeat    = "a failure sent again after its partition has moved"
	destMoved     = "a record both handled and in the destination, for its partition has moved"
	destEnded     = "a Send that is ended"
	destIgnores   = "a Send that ignores its end"
	destStuck     = "a stop that leaves a Send behind"
	destPartial   = "a destination that takes half"
	destPanicked  = "a destination that panics"
	destUnchecked = "a destination that is not there at first"
)

var destinationSituations = []string{destSent, destAge, destLost, destRepeat, destMoved, destEnded, destIgnores, destStuck, destPartial, destPanicked, destUnchecked}

// retriesAtMost is what infinite retries become with a destination.
const retriesAtMost = 10

// shelf is where the destinations of all processes put records. The world's mu guards it.
type shelf struct {
	// failed and condemned are what handlers reported of a record, in any life of its partition.
	failed    map[*record]int
	condemned map[*record]bool
	// handled and taken are the assignments in which a record was handled, and in which its failure was
	// acknowledged.
	handled, taken map[*record][]assignment
	ids            map[string]string
	down           time.Time // until then
	// assigned counts how often a process was assigned a partition, by "process partition".
	assigned map[string]int
	counters map[string]*counter // by process
}

// assignment is one assignment of a partition to a process.
type assignment struct {
	who string
	n   int
}

func newShelf() *shelf {
	return &shelf{failed: make(map[*record]int), condemned: make(map[*record]bool), handled: make(map[*record][]assignment),
		taken: make(map[*record][]assignment), ids: make(map[string]string), assigned: make(map[string]int), counters: make(map[string]*counter)}
}

// counter is the destination of one process.
type counter struct {
	w      *world
	p      *process
	deaf   bool // a Send has ignored the end of its context
	closed bool
}

func (c *counter) String() string { return "the shelf" }

// Check sometimes reports that the destination does not exist.
func (c *counter) Check(context.Context) error {
	defer c.w.lock()()
	if !c.w.calm && c.w.rng.IntN(3) == 0 {
		c.w.count(destUnchecked)
		return errors.New("there is no shelf")
	}
	return nil
}

// Close closes the destination.
func (c *counter) Close(context.Context) error {
	defer c.w.lock()()
	c.closed = true
	return nil
}

var errShelf = errors.New("the shelf is full")

// Send puts records onto the shelf, or fails to.
func (c *counter) Send(ctx context.Context, f *destination.Failure) error {
	w := c.w
	unlock := w.lock()
	locked := true
	defer func() {
		if locked {
			unlock()
		}
	}()
	if c.closed {
		w.faultf("%s sends after Close", c.p.name)
	}
	records, in := c.read(ctx, f)
	kind, sleep := 0, time.Duration(0)
	if !w.calm {
		kind, sleep = w.rng.IntN(14), time.Duration(w.rng.Int64N(int64(12*time.Second)))
		switch {
		case w.rng.IntN(60) == 0:
			w.shelf.down = time.Now().Add(time.Duration(w.rng.Int64N(int64(time.Minute))))
			fallthrough
		case time.Now().Before(w.shelf.down):
			return errShelf
		}
	}
	// wait waits without the lock, and returns false if end is closed first.
	wait := func(end <-chan struct{}) (ok bool) {
		unlock()
		locked = false
		timer := time.NewTimer(sleep)
		select {
		case <-timer.C:
			ok = true
		case <-end:
		}
		timer.Stop()
		unlock = w.lock()
		locked = true
		return ok
	}
	switch kind {
	case 8:
		return errShelf
	case 9: // it respects its context
		if !wait(ctx.Done()) {
			w.count(destEnded)
			return ctx.Err()
		}
	case 10: // it does not
		c.deaf = true
		sleep *= 3 // longer than a stop
		wait(nil)
		if ctx.Err() != nil {
			w.count(destIgnores)
		}
		if sleep%2 == 0 {
			return errShelf
		}
	case 11:
		w.count(destLost)
		c.put(records, nil)
		return errShelf
	case 12:
		w.count(destPanicked)
		panic("the shelf's")
	case 13:
		if a, b, ok := f.Split(); ok {
			w.count(destPartial)
			half, _ := c.read(ctx, a)
			c.put(half, nil) // the failure is only acknowledged when the rest is there, too
			return &destination.PartialError{Rest: b, Err: errShelf}
		}
	}
	c.put(records, in)
	return nil
}

// read checks a failure against what happened, and returns its records with the assignments in which they are
// sent. The caller holds mu.
func (c *counter) read(ctx context.Context, f *destination.Failure) (records []*record, lives []assignment) {
	w := c.w
	var name strings.Builder
	for _, key := range f.Partitions() {
		in := f.Event.Records[key]
		for i := range in {
			r := w.known("Send", &in[i])
			if r == nil {
				continue
			}
			now := w.assignmentOf(c.p, r.tp)
			records, lives = append(records, r), append(lives, now)
			fmt.Fprint(&name, r.id, " ")
			if r.never && !r.gone {
				w.faultf("%s sends %s[%d] (id %d), which is not to be handled", c.p.name, key, r.offset, r.id)
			}
			limit, n, age := w.s.Attempts, w.shelf.failed[r], f.Time.Sub(r.at)
			if limit < 0 {
				limit = retriesAtMost
			}
			switch f.Condition {
			case destination.RetryAttemptsExhausted:
				if n <= limit && !w.shelf.condemned[r] {
					w.faultf("%s sends %s[%d] after the handler has failed with it %d times", c.p.name, key, r.offset, n)
				}
			case destination.RecordAgeExceeded:
				if w.s.MaxAge == 0 || age < time.Duration(w.s.MaxAge)*time.Second {
					w.faultf("%s sends %s[%d] for its age of %v", c.p.name, key, r.offset, age)
				}
				w.count(destAge)
			default:
				w.faultf("%s sends %s[%d] for %s", c.p.name, key, r.offset, f.Condition)
			}
			// Once its context has ended, the partition may already belong to another assignment.
			if w.steady(r) && ctx.Err() == nil && (slices.Contains(w.shelf.handled[r], now) || slices.Contains(w.shelf.taken[r], now)) {
				w.faultf("%s sends %s[%d] (id %d), which is resolved", c.p.name, key, r.offset, r.id)
			}
		}
	}
	if len(records) == 0 {
		w.faultf("%s sends nothing", c.p.name)
	}
	if id := w.shelf.ids[name.String()]; id != "" && id != f.ID() {
		w.faultf("%s sends %s as %s, and it was %s", c.p.name, name.String(), f.ID(), id)
	}
	w.shelf.ids[name.String()] = f.ID()
	return records, lives
}

// put puts records onto the shelf. lives are the assignments in which that is acknowledged. The caller holds
// mu.
func (c *counter) put(records []*record, lives []assignment) {
	w := c.w
	for i, r := range records {
		w.count(destSent)
		if len(w.shelf.taken[r]) > 0 {
			w.count(destRepeat)
		}
		if len(w.shelf.handled[r]) > 0 {
			w.count(destMoved)
		}
		if lives != nil {
			w.shelf.taken[r] = append(w.shelf.taken[r], lives[i])
		}
	}
	resolve(records...)
}

// gentle reports whether partitions have only moved in orderly rebalances, with one poller per process. The
// caller holds mu.
func (w *world) gentle() bool { return !w.harsh && !w.s.Scale }

// steady reports whether a record is read once: its log was not truncated, and partitions have only moved in
// orderly rebalances. The caller holds mu.
func (w *world) steady(r *record) bool {
	h := w.logs[r.tp]
	return w.gentle() && h != nil && len(h.cuts) == 0
}

// blamed records that a handler itself failed with records.
func (s *shelf) blamed(records []*record, permanent bool) {
	for _, r := range records {
		s.failed[r]++
		s.condemned[r] = s.condemned[r] || permanent
	}
}

// handed checks a record that is passed to a handler against the shelf. The caller holds mu.
func (w *world) handed(p *process, r *record) {
	if now := w.assignmentOf(p, r.tp); w.steady(r) && slices.Contains(w.shelf.taken[r], now) {
		w.faultf("%s was given %s[%d] (id %d), which the destination has acknowledged", p.name, r.tp, r.offset, r.id)
	}
}

// handledNow records that a handler has handled records. The caller holds mu.
func (w *world) handledNow(p *process, records ...*record) {
	for _, r := range records {
		if len(w.shelf.taken[r]) > 0 {
			w.count(destMoved)
		}
		w.shelf.handled[r] = append(w.shelf.handled[r], w.assignmentOf(p, r.tp))
	}
	resolve(records...)
}

// withDestination returns the options of a process if the script has a destination: the destination, and a
// driver that counts assignments.
func (w *world) withDestination(p *process) []esm.Option {
	if !w.s.Destination {
		return nil
	}
	c := &counter{w: w, p: p}
	unlock := w.lock()
	w.shelf.counters[p.name] = c
	unlock()
	return []esm.Option{esm.WithDestination(c), esm.WithDriver(counting{w.broker.Driver(), w, p})}
}

// leftSend reports whether a Send that ignored its context is all that a stop left behind. The caller holds
// mu.
func (w *world) leftSend(p *process, stuck *esm.StuckError) bool {
	c := w.shelf.counters[p.name]
	if stuck == nil || c == nil || !c.deaf || !slices.ContainsFunc(stuck.Calls, func(c observe.StuckCall) bool { return c.Op == esm.OpDestination }) {
		return false
	}
	w.count(destStuck)
	return !slices.ContainsFunc(stuck.Calls, func(c observe.StuckCall) bool { return c.Op != esm.OpDestination })
}

// assignmentOf returns the current assignment of a partition to a process. The caller holds mu.
func (w *world) assignmentOf(p *process, tp esm.TopicPartition) assignment {
	return assignment{p.name, w.shelf.assigned[p.name+" "+tp.String()]}
}

// counting is a driver that counts the assignments of a process.
type counting struct {
	driver.Driver
	w *world
	p *process
}

func (d counting) Open(c driver.Config, l driver.Listener) (driver.Consumer, error) {
	return d.Driver.Open(c, assignments{l, d.w, d.p})
}

type assignments struct {
	driver.Listener
	w *world
	p *process
}

func (a assignments) Assigned(tps []esm.TopicPartition) {
	unlock := a.w.lock()
	for _, tp := range tps {
		a.w.shelf.assigned[a.p.name+" "+tp.String()]++
	}
	unlock()
	a.Listener.Assigned(tps)
}
