package membroker

import (
	"math"
	"sort"
	"unsafe"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
)

// partitionLog is the log of one partition. The broker's mutex guards it.
type partitionLog struct {
	// entries are in offset order; offsets in [start, end) without an entry hold no record.
	entries    []entry
	start, end int64
	epoch      int32
	// open holds the first offset of each open transaction.
	open map[*Tx]int64
	// load is set for a generated log, which has no entries.
	load *load
	// cuts are the times that the log was truncated, oldest first.
	cuts []cut
	// unreadable, if set, is where a batch starts that cannot be read.
	unreadable *int64
	// withheld counts the Withhold calls in effect.
	withheld int
}

// cut is one truncation of a log at an offset; epoch was the leader's before it.
type cut struct {
	epoch int32
	at    int64
}

// entry is a record in a log. Its bytes never change.
type entry struct {
	event.KafkaRecord
	epoch int32
	size  int
	tx    *Tx
}

const recordSize = int(unsafe.Sizeof(event.KafkaRecord{}))

// sizeOf returns the memory that a record keeps alive.
func sizeOf(r *event.KafkaRecord) int {
	n := recordSize + len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += int(unsafe.Sizeof(event.Header{})) + len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

func (p *partitionLog) append(r event.KafkaRecord, tx *Tx) {
	r.Offset = p.end
	if tx != nil {
		if p.open == nil {
			p.open = make(map[*Tx]int64)
		}
		if _, ok := p.open[tx]; !ok {
			p.open[tx] = p.end
		}
	}
	p.entries = append(p.entries, entry{KafkaRecord: r, epoch: p.epoch, size: sizeOf(&r), tx: tx})
	p.end++
}

// limit returns where a reader stops: the last stable offset under read_committed, otherwise the high
// watermark.
func (p *partitionLog) limit(readUncommitted bool) int64 {
	end := p.end
	if !readUncommitted {
		for _, first := range p.open {
			end = min(end, max(first, p.start)) // a broker forgets what was open where it deletes
		}
	}
	return end
}

func (p *partitionLog) deleteBefore(before int64) {
	p.start = min(max(p.start, before), p.end)
	p.entries = p.entries[p.index(p.start):]
}

func (p *partitionLog) truncate(end int64) {
	if end >= p.end {
		return
	}
	p.end = max(end, 0)
	p.cuts = append(p.cuts, cut{p.epoch, p.end})
	p.start = min(p.start, p.end)
	p.entries = p.entries[:p.index(p.end)]
	p.epoch++
}

// parts returns the offset at which the log diverged from what a reader has read, at most next. epoch is the
// leader epoch of the reader's last record; without one (-1) no divergence is found.
func (p *partitionLog) parts(epoch int32, next int64) int64 {
	for _, c := range p.cuts {
		if epoch >= 0 && c.epoch >= epoch {
			next = min(next, c.at)
		}
	}
	return next
}

// index returns the index of the first entry at or after offset.
func (p *partitionLog) index(offset int64) int {
	return sort.Search(len(p.entries), func(i int) bool { return p.entries[i].Offset >= offset })
}

// atTime returns the first offset whose record's timestamp is at or after ms, or the reader's end if there is
// none.
func (p *partitionLog) atTime(ms int64, readUncommitted bool) (int64, int32) {
	limit := p.limit(readUncommitted)
	if p.load != nil {
		if p.load.record.Timestamp >= ms && p.start < limit {
			return p.start, p.epoch
		}
		return limit, p.epoch
	}
	for i := range p.entries {
		e := &p.entries[i]
		if e.Offset >= limit {
			break
		}
		if e.Timestamp >= ms {
			return e.Offset, e.epoch
		}
	}
	return limit, p.epoch
}

// read returns a run from offset from on. It returns false when there is nothing and the position does not
// move. The reader owns the records including their bytes, as with a real client.
func (p *partitionLog) read(from int64, readUncommitted bool, maxRecords, maxBytes int, run *driver.Run) bool {
	limit := p.limit(readUncommitted)
	run.End, run.LeaderEpoch = limit, p.epoch
	if p.unreadable != nil && from <= *p.unreadable {
		limit = min(limit, *p.unreadable)
	}
	if from >= limit {
		return false
	}
	if p.load != nil {
		p.load.read(from, limit, maxRecords, maxBytes, run)
		return true
	}
	if maxBytes <= 0 {
		maxBytes = math.MaxInt
	}
	first := p.index(from)
	stop, count, payload := first, 0, 0
	for ; stop < len(p.entries) && p.entries[stop].Offset < limit; stop++ {
		e := &p.entries[stop]
		if !e.visible(readUncommitted) {
			continue
		}
		if count > 0 && (count == maxRecords || run.Bytes+e.size > maxBytes || e.epoch != run.LeaderEpoch) {
			break
		}
		count++
		run.Bytes += e.size
		run.LeaderEpoch = e.epoch
		payload += len(e.Key) + len(e.Value)
	}
	run.Next = limit
	if stop < len(p.entries) && p.entries[stop].Offset < limit {
		run.Next = p.entries[stop].Offset
	}
	if count == 0 {
		return true
	}
	run.Records = make([]event.KafkaRecord, 0, count)
	arena := make([]byte, 0, payload)
	for i := first; i < stop; i++ {
		e := &p.entries[i]
		if !e.visible(readUncommitted) {
			continue
		}
		r := e.KafkaRecord
		r.Key, arena = carve(arena, r.Key)
		r.Value, arena = carve(arena, r.Value)
		if r.Headers != nil {
			r.Headers = make([]event.Header, len(e.Headers))
			for j, h := range e.Headers {
				r.Headers[j] = event.Header{Key: h.Key, Value: clone(h.Value)}
			}
		}
		run.Records = append(run.Records, r)
	}
	return true
}

// visible reports whether a reader below its limit sees the record.
func (e *entry) visible(readUncommitted bool) bool {
	return e.tx == nil || readUncommitted || e.tx.committed
}

// carve copies b into the arena, which has room for it. nil stays nil, empty stays empty.
func carve(arena, b []byte) (copied, rest []byte) {
	if b == nil {
		return nil, arena
	}
	at := len(arena)
	arena = append(arena, b...)
	return arena[at:len(arena):len(arena)], arena
}

// clone copies b. nil stays nil, empty stays empty.
func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append(make([]byte, 0, len(b)), b...)
}
