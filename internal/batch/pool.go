package batch

import "time"

// Limits are a mapping's limits for a batch.
type Limits struct {
	// BatchSize is the mapping's parameter, Window its MaximumBatchingWindowInSeconds.
	BatchSize int
	Window    time.Duration
	// Payload is the largest size of an invocation's JSON, Envelope the size of an event without records.
	Payload, Envelope int
}

// Pool has the lanes with records and nothing in flight, and makes batches of them. Call Due and Deadline, then Take.
type Pool[O any] struct {
	queue       Queue[O] // by the arrival of the head record
	count, size int
	// stalled counts the lanes in the pool that are not fetched.
	stalled int
}

// Add adds a lane with records to the pool.
func (p *Pool[O]) Add(l *Lane[O]) {
	p.queue.Add(l, l.Buf.Arrived())
	p.count += l.Buf.Count
	p.size += l.Buf.Size + l.Overhead
	if l.stalled {
		p.stalled++
	}
}

// Remove removes a lane.
func (p *Pool[O]) Remove(l *Lane[O]) {
	p.queue.Remove(l)
	p.count -= l.Buf.Count
	p.size -= l.Buf.Size + l.Overhead
	if l.stalled {
		p.stalled--
	}
}

// SetStalled records whether a lane is not fetched because memory is full.
func (p *Pool[O]) SetStalled(l *Lane[O], stalled bool) {
	if l.stalled == stalled {
		return
	}
	l.stalled = stalled
	switch {
	case !p.Holds(l):
	case stalled:
		p.stalled++
	default:
		p.stalled--
	}
}

// Holds reports whether the lane is in the pool.
func (p *Pool[O]) Holds(l *Lane[O]) bool { return p.queue.Holds(l) }

// Head returns the lane whose head record arrived first, nil if the pool is empty.
func (p *Pool[O]) Head() *Lane[O] { return p.queue.Head() }

// Grown tells the pool what was added to the buffer of one of its lanes.
func (p *Pool[O]) Grown(count, size int) {
	p.count += count
	p.size += size
}

// Due reports whether a batch should go now: because of the batch size, the payload limit, the memory or the window.
func (p *Pool[O]) Due(now time.Time, l Limits) bool {
	return p.count > 0 && (p.full(l) || !now.Before(p.Head().At().Add(l.Window)))
}

// full reports whether a batch need not wait for its window: it has all that it may have, or a lane holds all that memory
// allows and would get no more.
func (p *Pool[O]) full(l Limits) bool {
	return p.count >= l.BatchSize || l.Envelope+p.size >= l.Payload || p.stalled > 0
}

// Deadline returns when the window of the oldest record ends. It returns false if the pool is empty.
func (p *Pool[O]) Deadline(l Limits) (time.Time, bool) {
	if p.count == 0 {
		return time.Time{}, false
	}
	return p.Head().At().Add(l.Window), true
}

// Take fills one batch: from the lane with the oldest head record until that lane is empty, then from the next. So a
// batch spans no more lanes than necessary. The lanes taken from leave the pool, and what was taken becomes their work.
func (p *Pool[O]) Take(l Limits) (parts []Part[O], count, size int) {
	size = l.Envelope
	for count < l.BatchSize {
		lane := p.Head()
		if lane == nil {
			break
		}
		p.Remove(lane)
		u := lane.Buf.Take(l.BatchSize-count, l.Payload-size-lane.Overhead, count == 0)
		if len(u.Records) == 0 { // the batch has no room for the lane's next record
			p.Add(lane)
			break
		}
		lane.Work = append(lane.Work, u)
		parts = append(parts, Part[O]{Lane: lane, Records: u.Records})
		count += len(u.Records)
		size += u.Size + lane.Overhead
		if lane.Buf.Count > 0 {
			break
		}
	}
	return parts, count, size
}
