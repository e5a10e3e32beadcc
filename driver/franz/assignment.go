package franz

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/driver"
)

// partition is the consumer's state of a partition that it owns.
type partition struct {
	driver.TopicPartition
	// start is the last Start; it is valid if started is set.
	start   driver.Start
	started bool
	// placed: the client has a cursor for the partition, so a Start must move the cursor. Until then, adjustOffsets passes
	// start to the client.
	placed bool
	// moving: the client does not know start yet.
	moving bool
	// live: the cursor follows a start, and what it reads is delivered under epoch. If not set, the partition is held.
	live  bool
	epoch uint64
	// next is the offset after the last delivered run, or the start's offset if there is none yet.
	next int64
	// paused is what the caller asked for.
	paused bool
	// member is the member ID that it was assigned under, assignment the number of the rebalance.
	member     string
	assignment int64
	// suspended: an error keeps the partition from being fetched until this time; zero means none.
	suspended time.Time
	// fetchPaused: the partition is in the client's own set of paused partitions.
	fetchPaused bool
	// recreated: the topic was recreated, and positions in the old one may not be committed.
	recreated bool
}

// assignment is the set of partitions that this member owns, with the changes that the client does not know yet. Any
// goroutine may read and mark; only the poll goroutine tells the client, in apply.
type assignment struct {
	mu    sync.Mutex
	parts map[string]map[int32]*partition
	dirty map[*partition]struct{}
	// changed is closed at each Start, to wake adjustOffsets.
	changed chan struct{}
}

func (a *assignment) init() {
	a.parts = map[string]map[int32]*partition{}
	a.dirty = map[*partition]struct{}{}
	a.changed = make(chan struct{})
}

// get returns nil for a partition that is not owned. The caller holds the lock.
func (a *assignment) get(tp driver.TopicPartition) *partition { return a.parts[tp.Topic][tp.Partition] }

// add adds a partition, held. It returns false if the partition was owned already, which happens if the client dropped
// a topic and found it again: then only its cursor is new.
func (a *assignment) add(tp driver.TopicPartition, member string, number int64) bool {
	p := a.get(tp)
	if p != nil {
		p.placed, p.live, p.fetchPaused = false, false, true
		return false
	}
	if a.parts[tp.Topic] == nil {
		a.parts[tp.Topic] = map[int32]*partition{}
	}
	a.parts[tp.Topic][tp.Partition] = &partition{TopicPartition: tp, next: -1, fetchPaused: true, member: member, assignment: number}
	return true
}

func (a *assignment) remove(tp driver.TopicPartition) {
	if p := a.get(tp); p != nil {
		delete(a.dirty, p)
		delete(a.parts[tp.Topic], tp.Partition)
		if len(a.parts[tp.Topic]) == 0 {
			delete(a.parts, tp.Topic)
		}
	}
}

// hold stops deliveries until the next Start.
func (a *assignment) hold(p *partition) {
	p.live, p.started, p.moving = false, false, false
	a.dirty[p] = struct{}{}
}

// owned filters and flattens kgo's map, in order.
func (a *assignment) owned(m map[string][]int32) []driver.TopicPartition {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.DeleteFunc(flatten(m), func(tp driver.TopicPartition) bool { return a.get(tp) == nil })
}

func flatten(m map[string][]int32) []driver.TopicPartition {
	var list []driver.TopicPartition
	for topic, partitions := range m {
		for _, p := range partitions {
			list = append(list, driver.TopicPartition{Topic: topic, Partition: p})
		}
	}
	sortPartitions(list)
	return list
}

func sortPartitions(list []driver.TopicPartition) {
	slices.SortFunc(list, func(a, b driver.TopicPartition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
}

func unflatten(list []driver.TopicPartition) map[string][]int32 {
	m := map[string][]int32{}
	for _, tp := range list {
		m[tp.Topic] = append(m[tp.Topic], tp.Partition)
	}
	return m
}

// onAssigned is kgo's callback. It runs at the end of every rebalance, even if nothing was added.
func (c *consumer) onAssigned(_ context.Context, client *kgo.Client, m map[string][]int32) {
	number := c.rebalances.Add(1)
	c.membership.note(client)
	member, _ := c.membership.of()
	c.report.clear(groupCondition)
	c.report.clear(pollCondition)
	list := flatten(m)
	out := c.out.Swap(false)
	if len(list) == 0 {
		if out || number == 1 { // the group's first assignment gives this member nothing
			c.gate.enterCall(c.waker.wake)
			defer c.gate.leaveCall()
			c.listener.Assigned(nil)
		}
		return
	}
	// The client asks for committed offsets when this callback returns. Pausing first keeps it from fetching a held
	// partition.
	client.PauseFetchPartitions(m)
	c.gate.enterCall(c.waker.wake)
	defer c.gate.leaveCall()
	c.assigned.mu.Lock()
	list = slices.DeleteFunc(list, func(tp driver.TopicPartition) bool { return !c.assigned.add(tp, member, number) })
	c.assigned.mu.Unlock()
	c.resize(client)
	if len(list) > 0 {
		c.listener.Assigned(list)
	}
}

// onRevoked is kgo's callback for partitions that move to another member, and for all partitions when the member
// leaves.
func (c *consumer) onRevoked(_ context.Context, client *kgo.Client, m map[string][]int32) {
	list := c.assigned.owned(m)
	if len(list) == 0 {
		return
	}
	// They are given up in the generation that revoked them, which kgo knows by now.
	c.noteGeneration(client)
	c.gate.enterCall(c.waker.wake)
	defer c.gate.leaveCall()
	c.listener.Revoked(list)
	c.forget(client, list)
}

// onLost is kgo's callback for partitions that already belong to another member.
func (c *consumer) onLost(_ context.Context, client *kgo.Client, m map[string][]int32) {
	c.gate.enterCall(c.waker.wake)
	defer c.gate.leaveCall()
	c.membership.end()
	list := c.assigned.owned(m)
	if len(list) == 0 {
		return
	}
	c.out.Store(true)
	c.forget(client, list) // before the call: nothing of theirs can be committed any longer
	c.listener.Lost(list)
}

// noteGeneration records the current generation if the member ID is still the same.
func (c *consumer) noteGeneration(client *kgo.Client) {
	member, _ := c.membership.of()
	if now, _ := client.GroupMetadata(); now == member {
		c.membership.note(client)
	}
}

// forgetHeld ends the ownership of partitions that kgo still has: kgo keeps them paused.
func (c *consumer) forgetHeld(list []driver.TopicPartition) {
	c.assigned.mu.Lock()
	defer c.assigned.mu.Unlock()
	for _, tp := range list {
		c.assigned.remove(tp)
		c.report.clear(partitionCondition(tp))
	}
}

// forget ends the ownership of partitions, and with it their pauses.
func (c *consumer) forget(client *kgo.Client, list []driver.TopicPartition) {
	c.forgetHeld(list)
	client.ResumeFetchPartitions(unflatten(list))
	c.resize(client)
}

// resize adapts the fetch sizes to the current number of brokers.
func (c *consumer) resize(client *kgo.Client) {
	client.UpdateFetchMaxBytes(c.fetchSizes(int(c.brokers.Load())))
}

// startsWithin is how long the client waits for the Starts of newly assigned partitions before it treats them as held.
// A Start that comes in time is the client's first position. A later one moves a cursor, which makes kgo drop the
// fetches of all partitions and start them again.
const startsWithin = 200 * time.Millisecond

// adjustOffsets is called by kgo between onAssigned and the first fetch, to learn where to begin.
func (c *consumer) adjustOffsets(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	a := &c.assigned
	timer := time.NewTimer(startsWithin)
	defer timer.Stop()
	for waiting := true; waiting; {
		a.mu.Lock()
		missing := false
		for topic, partitions := range offsets {
			for n := range partitions {
				p := a.parts[topic][n]
				missing = missing || p != nil && !p.started
			}
		}
		changed := a.changed
		a.mu.Unlock()
		if !missing {
			break
		}
		select {
		case <-changed:
		case <-timer.C:
			waiting = false
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}

	a.mu.Lock()
	defer a.mu.Unlock()
	for topic, partitions := range offsets {
		for n, committed := range partitions {
			p := a.parts[topic][n]
			if p == nil {
				delete(partitions, n)
				continue
			}
			p.placed = true
			at := kgo.NewOffset().At(0) // any offset works: the partition is paused until it is started
			if p.started {
				p.live, p.moving, p.epoch, p.next = true, false, p.start.Epoch, p.start.Offset
				at = at.At(p.start.Offset)
				if committed.EpochOffset().Offset == p.start.Offset {
					// With the commit's leader epoch, the client notices a log that was truncated and has grown again
					// meanwhile. kgo has the epoch only if the broker can check it.
					at = at.WithEpoch(committed.EpochOffset().Epoch)
				}
				a.dirty[p] = struct{}{}
			}
			partitions[n] = at
		}
	}
	c.waker.wake()
	return offsets, nil
}
