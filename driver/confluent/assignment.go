//go:build cgo

package confluent

import (
	"fmt"
	"slices"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/driver"
)

// assignment lists what the group assigned, in order.
func (c *consumer) assignment() []driver.TopicPartition {
	list := make([]driver.TopicPartition, 0, len(c.partitions))
	for tp := range c.partitions {
		list = append(list, tp)
	}
	slices.SortFunc(list, compareTopicPartitions)
	return list
}

// fetching returns the given partitions that are in librdkafka's own assignment.
func (c *consumer) fetching(partitions []kafka.TopicPartition) []kafka.TopicPartition {
	assignment, err := c.client.Assignment()
	if err != nil {
		return []kafka.TopicPartition{}
	}
	own := make(map[driver.TopicPartition]bool, len(assignment))
	for _, a := range assignment {
		own[driver.TopicPartition{Topic: *a.Topic, Partition: a.Partition}] = true
	}
	return slices.DeleteFunc(slices.Clone(partitions), func(p kafka.TopicPartition) bool {
		return !own[driver.TopicPartition{Topic: *p.Topic, Partition: p.Partition}]
	})
}

// carryOut applies what Start, Pause and Resume asked for. A later request replaces earlier ones for its partition,
// except that a Start leaves a pause as it is.
func (c *consumer) carryOut() {
	list := c.wishes.take()
	if len(list) == 0 && len(c.again) == 0 {
		return
	}
	starts := c.again
	c.again = nil
	var pauses, resumes []kafka.TopicPartition
	for _, w := range list {
		p := c.partitions[w.start.TopicPartition]
		if p == nil {
			continue
		}
		switch w.kind {
		case wishStart:
			starts = append(starts, w.start)
		case wishPause:
			p.paused, p.repause = true, true
		case wishResume:
			p.paused, p.repause = false, true
		}
	}
	c.begin(starts)
	for _, p := range c.partitions {
		if !p.repause || !p.running {
			continue
		}
		p.repause = false
		if p.paused {
			pauses = append(pauses, p.at())
		} else {
			resumes = append(resumes, p.at())
		}
	}
	// librdkafka drops what it has queued of a paused partition and fetches it again, from the record after the last one
	// that Poll returned.
	if len(pauses) > 0 {
		c.note(c.client.Pause(pauses))
	}
	if len(resumes) > 0 {
		c.note(c.client.Resume(resumes))
	}
	c.count()
}

// begin starts partitions; only the last start of a partition counts.
func (c *consumer) begin(starts []driver.Start) {
	var moved, fresh []*partition
	wanted := make(map[*partition]driver.Start, len(starts))
	for _, s := range starts {
		p := c.partitions[s.TopicPartition]
		if p == nil {
			continue
		}
		if s.Offset < 0 {
			c.report(&driver.Error{Kind: driver.KindOther, TopicPartition: s.TopicPartition, Offset: -1,
				Err: fmt.Errorf("confluent: cannot start at offset %d: an offset is 0 or more", s.Offset)})
			continue
		}
		wanted[p] = s
	}
	for p, s := range wanted {
		p.start(s)
		if p.running {
			moved = append(moved, p)
		} else {
			fresh = append(fresh, p)
		}
	}
	fresh = append(fresh, c.seek(moved)...)
	if len(fresh) == 0 {
		return
	}
	if c.eager {
		c.assignEager(fresh)
	} else {
		c.assignMore(fresh)
	}
	for _, p := range fresh {
		if !p.running {
			c.again = append(c.again, wanted[p])
		}
	}
}

// seek moves running partitions. It removes those that librdkafka refuses to move from its assignment, and returns
// them. A seek is better than removing and adding again: an unassign between a rebalance's event and its callback would
// answer it early.
func (c *consumer) seek(moved []*partition) []*partition {
	if len(moved) == 0 {
		return nil
	}
	// After this call nothing more arrives for the old position: librdkafka drops what is queued.
	results, err := c.client.SeekPartitions(positions(moved))
	if err != nil {
		c.take(moved)
		return moved
	}
	var stuck []*partition
	for i, r := range results {
		if r.Error != nil {
			stuck = append(stuck, moved[i])
		} else {
			moved[i].running = true
		}
	}
	c.take(stuck)
	return stuck
}

// take removes partitions from librdkafka's assignment, so that they are held.
func (c *consumer) take(out []*partition) {
	if len(out) == 0 {
		return
	}
	for _, p := range out {
		p.running = false
	}
	defer c.count()
	if c.eager {
		c.assignEager(nil)
		return
	}
	if own := c.fetching(positions(out)); len(own) > 0 {
		c.note(c.client.IncrementalUnassign(own))
	}
}

// assignMore adds partitions to librdkafka's assignment under the cooperative protocol.
func (c *consumer) assignMore(fresh []*partition) {
	err := c.client.IncrementalAssign(positions(fresh))
	for _, p := range fresh {
		p.running, p.repause = err == nil, true
	}
	c.note(err)
}

// assignEager sets librdkafka's assignment to the running partitions and the fresh ones; the eager protocol has no
// other way. The running ones continue where they are, but what librdkafka had queued of them is fetched again.
func (c *consumer) assignEager(fresh []*partition) {
	all := slices.Clone(fresh)
	for _, p := range c.partitions {
		if p.running && !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	err := c.client.Assign(positions(all))
	for _, p := range fresh {
		p.running = err == nil
	}
	for _, p := range all {
		p.repause = true
	}
	c.note(err)
}

// note reports an error of a call that changes the assignment.
func (c *consumer) note(err error) {
	if err != nil {
		c.report(classed(driver.TopicPartition{}, err))
	}
}

// report adds an error to the running Poll's result, once.
func (c *consumer) report(e *driver.Error) {
	if c.into != nil && c.reported.first(e, time.Now()) {
		c.into.Errors = append(c.into.Errors, e)
	}
}

// count updates the number of partitions that are held or paused.
func (c *consumer) count() {
	c.unflowing = 0
	for _, p := range c.partitions {
		if p.paused || !p.running {
			c.unflowing++
		}
	}
}
