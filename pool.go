package esm

import "time"

// limits are the mapping's limits of a batch.
type limits struct {
	// size is BatchSize, window MaximumBatchingWindowInSeconds.
	size   int
	window time.Duration
	// payload is what an invocation's JSON may measure; envelope what an event without records does.
	payload, envelope int
}

// pool is the accumulator of batches: the partitions that have records and nothing in flight. It is passive and knows
// no clock: ask due and deadline, then take. Owned by the loop.
type pool struct {
	queue       // by the arrival of the head record
	count, size int
	// stalled counts the partitions in it that the budget keeps from being fetched.
	stalled int
}

// add puts a partition with records into the pool.
func (b *pool) add(p *partition) {
	b.queue.add(p, p.buf.arrived())
	b.count += p.buf.count
	b.size += p.buf.size + p.overhead
	if p.pauses&pausedByBudget != 0 {
		b.stalled++
	}
}

// remove takes a partition out.
func (b *pool) remove(p *partition) {
	b.queue.remove(p)
	b.count -= p.buf.count
	b.size -= p.buf.size + p.overhead
	if p.pauses&pausedByBudget != 0 {
		b.stalled--
	}
}

// budgeted tells the pool that the budget stopped a partition, or lets it be fetched again.
func (b *pool) budgeted(p *partition, stopped bool) {
	switch {
	case !b.holds(p):
	case stopped:
		b.stalled++
	default:
		b.stalled--
	}
}

// holds reports whether the partition stands in the pool.
func (b *pool) holds(p *partition) bool { return p.place.q == &b.queue }

// grown tells the pool what was added to the buffer of one of its partitions.
func (b *pool) grown(count, size int) {
	b.count += count
	b.size += size
}

// due reports whether a batch is to go now: the batch size, the payload limit, the budget or the window is reached.
func (b *pool) due(now time.Time, l limits) bool {
	return b.count > 0 && (b.full(l) || !now.Before(b.head().place.at.Add(l.window)))
}

// full reports whether a batch need not wait for its window: it has all that it may have, or a partition holds all that the
// budget lets it have, and would wait in vain for more.
func (b *pool) full(l limits) bool {
	return b.count >= l.size || l.envelope+b.size >= l.payload || b.stalled > 0
}

// deadline is when the window of the oldest record ends; false when the pool is empty.
func (b *pool) deadline(l limits) (time.Time, bool) {
	if b.count == 0 {
		return time.Time{}, false
	}
	return b.head().place.at.Add(l.window), true
}

// take fills one batch: from the partition whose head record is oldest until it is empty, then from the next, so that a
// batch spans no more partitions than it needs. The partitions taken from leave the pool, and what was taken becomes
// their work.
func (b *pool) take(l limits) (parts []part, count, size int) {
	size = l.envelope
	for count < l.size {
		p := b.head()
		if p == nil {
			break
		}
		b.remove(p)
		u := p.buf.take(l.size-count, l.payload-size-p.overhead, count == 0)
		if len(u.records) == 0 { // the batch has no room for its next record
			b.add(p)
			break
		}
		p.work = append(p.work, u)
		parts = append(parts, part{p: p, records: u.records})
		count += len(u.records)
		size += u.size + p.overhead
		if p.buf.count > 0 {
			break
		}
	}
	return parts, count, size
}
