package franz

import (
	"context"
	"errors"
	"time"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
)

// take converts what the client returned into runs and reports.
func (c *consumer) take(fetches kgo.Fetches, into *driver.Fetch) {
	if len(fetches) == 0 {
		return
	}
	c.assigned.mu.Lock()
	defer c.assigned.mu.Unlock()
	for i := range fetches {
		for j := range fetches[i].Topics {
			t := &fetches[i].Topics[j]
			parts := c.assigned.parts[t.Topic]
			c.topics.saw(t.Topic, t.TopicID)
			for k := range t.Partitions {
				fp := &t.Partitions[k]
				p := parts[fp.Partition]
				if p != nil && p.live && len(fp.Records) > 0 {
					c.deliver(p, fp, into)
				} else {
					recycle(fp.Records)
				}
				if fp.Err != nil {
					c.partitionError(t, fp, p)
				}
			}
		}
	}
}

// partitionError handles an error that came instead of records. The caller holds the assignment's lock.
func (c *consumer) partitionError(t *kgo.FetchTopic, fp *kgo.FetchPartition, p *partition) {
	err := fp.Err
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, kgo.ErrClientClosed) {
		return // the end of a wait
	}
	if t.Topic == "" {
		condition := clientCondition
		if _, ok := errors.AsType[*kgo.ErrGroupSession](err); ok {
			condition = groupCondition
		}
		c.report.raise(condition, c.classify(err))
		return
	}
	if p == nil || !p.started {
		if p == nil && fp.Partition < 0 { // about the topic as a whole
			e := c.classify(err)
			e.TopicPartition = wholeTopic(t.Topic)
			c.report.raise(topicCondition(t.Topic), e)
		} else if p != nil && !p.placed { // the client could not read the group's commit, so it will not begin
			c.raisePartition(p, err)
		}
		return // held: the client's error is already known
	}
	loss, isLoss := errors.AsType[*kgo.ErrDataLoss](err)
	tooLarge, isTooLarge := errors.AsType[*kgo.ErrDecompressTooLarge](err)
	switch {
	case isLoss:
		c.assigned.hold(p)
		c.report.raise(partitionCondition(p.TopicPartition), &driver.Error{
			Kind: driver.KindTruncated, TopicPartition: p.TopicPartition, Offset: loss.ConsumedTo, To: loss.ResetTo, Err: err,
		})
	case errors.Is(err, kerr.OffsetOutOfRange):
		c.assigned.hold(p)
		c.report.raise(partitionCondition(p.TopicPartition), &driver.Error{
			Kind: driver.KindOffsetOutOfRange, TopicPartition: p.TopicPartition, Offset: p.next, Err: err,
		})
	case isTooLarge:
		p.next = tooLarge.Offset
		c.assigned.hold(p) // the client does not fetch it until it is moved
		c.raisePartition(p, err)
	case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.InconsistentTopicID), errors.Is(err, kerr.UnknownTopicOrPartition):
		c.suspend(p)
		c.topics.ask(t.Topic, t.TopicID)
	default:
		// kgo retries at once, for as long as the error lasts.
		c.suspend(p)
		c.raisePartition(p, err)
	}
}

// unreadable reports whether a fetch's error is about the data that the broker sent. For that, kgo returns plain errors
// of its own and those of decompression. A broker's errors have codes, and the network's have types.
func (c *consumer) unreadable(err error) bool {
	_, isBroker := errors.AsType[*kerr.Error](err)
	return !isBroker && kindOf(err) == driver.KindOther
}

func (c *consumer) raisePartition(p *partition, err error) {
	e := c.classify(err)
	e.TopicPartition = p.TopicPartition
	if p.started && c.unreadable(err) {
		e.Kind = driver.KindCorrupt
	}
	if e.Kind == driver.KindCorrupt {
		e.Offset = p.next
	}
	c.report.raise(partitionCondition(p.TopicPartition), e)
}

// suspendFor is how long a partition is not fetched after its fetch failed.
const suspendFor = time.Second

func (c *consumer) suspend(p *partition) {
	p.suspended = time.Now().Add(suspendFor)
	c.assigned.dirty[p] = struct{}{}
}

const (
	recordSize = int(unsafe.Sizeof(event.KafkaRecord{}))
	headerSize = int(unsafe.Sizeof(event.Header{}))
	// wireOverhead is roughly what a record takes in a batch besides its key, value and headers.
	wireOverhead = 10
)

// recycle returns kgo's records to recordPool.
func recycle(records []*kgo.Record) {
	for _, r := range records {
		r.Recycle()
	}
}

// deliver appends the runs of one fetched partition. The caller holds the assignment's lock.
//
// The loop is the whole cost of a record in this driver. It writes each record once, into one allocation per partition,
// and recycles kgo's record while it is in the cache. Keys and values stay in the client's buffer.
func (c *consumer) deliver(p *partition, fp *kgo.FetchPartition, into *driver.Fetch) {
	records := fp.Records
	for len(records) > 0 && records[0].Offset < p.next { // never backwards
		records[0].Recycle()
		records = records[1:]
	}
	if len(records) == 0 {
		p.moving = p.started && p.placed // the cursor is not where it was set: set it again
		c.assigned.dirty[p] = struct{}{}
		return
	}
	end := fp.HighWatermark
	if !c.cfg.ReadUncommitted && fp.LastStableOffset >= 0 {
		end = fp.LastStableOffset
	}
	if c.report.standing() {
		c.report.clear(partitionCondition(p.TopicPartition))
	}
	slab := into.Records(len(records))
	var headers []event.Header
	n, first, bytes := 0, 0, 0
	epoch := records[0].LeaderEpoch
	flush := func(next int64, to int) {
		into.Runs = append(into.Runs, driver.Run{
			TopicPartition: p.TopicPartition,
			Epoch:          p.epoch,
			LeaderEpoch:    epoch,
			Records:        slab[first:n:to],
			Bytes:          bytes + (n-first)*(recordSize+wireOverhead),
			Next:           next,
			End:            end,
		})
		first, bytes = n, 0
	}
	topic, number := p.Topic, p.Partition
	for _, r := range records {
		if r.LeaderEpoch != epoch {
			flush(p.next, n)
			epoch = r.LeaderEpoch
		}
		p.next = r.Offset + 1
		if r.Attrs.IsControl() {
			r.Recycle()
			continue
		}
		out := &slab[n]
		n++
		out.Topic = topic
		out.Partition = number
		out.Offset = r.Offset
		switch r.Attrs.TimestampType() {
		case 0:
			out.Timestamp = r.Timestamp.UnixMilli()
		case 1:
			out.TimestampType = event.LogAppendTime
			out.Timestamp = r.Timestamp.UnixMilli()
		default:
			out.TimestampType = event.NoTimestampType
			out.Timestamp = -1
		}
		out.Key = r.Key
		out.Value = r.Value
		bytes += len(r.Key) + len(r.Value)
		if len(r.Headers) > 0 {
			var size int
			out.Headers, headers, size = convertHeaders(r.Headers, headers)
			bytes += size
		}
		r.Recycle()
	}
	flush(p.next, cap(slab)) // a run that has the slab to itself may give it back
}

// convertHeaders cuts a record's headers from a slab that records share.
func convertHeaders(in []kgo.RecordHeader, slab []event.Header) (out, rest []event.Header, size int) {
	if len(slab) < len(in) {
		slab = make([]event.Header, max(len(in), 64))
	}
	out, rest = slab[:len(in):len(in)], slab[len(in):]
	for i, h := range in {
		out[i] = event.Header(h)
		size += len(h.Key) + len(h.Value) + headerSize
	}
	return out, rest, size
}
