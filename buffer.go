package esm

import (
	"time"
	"unsafe"

	"github.com/esm-go/esm/event"
)

// chunk is a run of records that waits in a buffer.
type chunk struct {
	records     []event.KafkaRecord
	arrived     time.Time
	leaderEpoch int32
	// size is the records' encoded size, largest that of the largest, held the memory that they keep alive.
	size, largest, held int
	// own: nothing else is kept alive, the records are copies.
	own bool
	// rough: size is what shares left over, not a sum.
	rough bool
}

// buffer holds the records of one partition that are received and not yet in a batch, as the runs in which they came.
// It is passive and knows no clock.
type buffer struct {
	chunks []chunk
	head   int // of chunks; what is before it was taken
	count  int // records
	size   int // encoded bytes
	held   int // bytes of memory
}

// add appends a run, whose encoded size is size.
func (b *buffer) add(c chunk) {
	if len(c.records) == 0 {
		return
	}
	b.count += len(c.records)
	b.size += c.size
	b.held += c.held
	if b.head == len(b.chunks) {
		b.chunks, b.head = b.chunks[:0], 0
	} else if last := &b.chunks[len(b.chunks)-1]; adjacent(last.records, c.records) && last.leaderEpoch == c.leaderEpoch {
		// A driver that goes on in the same slab lets two runs be one without copying. The joined run keeps the older
		// arrival: a window never gets longer by it.
		last.records = last.records[:len(last.records)+len(c.records)]
		last.size += c.size
		last.largest = max(last.largest, c.largest)
		last.held += c.held
		last.rough = last.rough || c.rough
		return
	}
	if b.head > 16 && b.head*2 > len(b.chunks) {
		n := copy(b.chunks, b.chunks[b.head:])
		clear(b.chunks[n:])
		b.chunks, b.head = b.chunks[:n], 0
	}
	b.chunks = append(b.chunks, c)
}

// adjacent reports whether y begins in memory where x ends, within x's own array.
func adjacent(x, y []event.KafkaRecord) bool {
	if len(x) == 0 || cap(x)-len(x) < len(y) {
		return false
	}
	return &x[:len(x)+1][len(x)] == unsafe.SliceData(y)
}

// first returns the oldest record, nil when there is none.
func (b *buffer) first() *event.KafkaRecord {
	if b.head == len(b.chunks) {
		return nil
	}
	return &b.chunks[b.head].records[0]
}

// arrived returns when the oldest record came.
func (b *buffer) arrived() time.Time { return b.chunks[b.head].arrived }

// take removes up to n records from the front whose encoded sizes sum up to at most room, and returns them as one
// slice. With force it returns at least one record, whatever its size. Records are copied only where the slice spans
// runs, and measured only where room is short, or at the end of a run that was taken in parts: when so many of the largest
// records fit, so do these, and each part of a run is then given its share of the run's size.
func (b *buffer) take(n, room int, force bool) unit {
	var u unit
	ample := b.most(n) <= room
	whole, part, partSize, taken := b.head, 0, 0, 0 // chunks before whole go, and part of the records of that one
	for whole < len(b.chunks) && taken < n {
		c := &b.chunks[whole]
		k, size := min(n-taken, len(c.records)), c.size
		switch {
		case !ample:
			if k, size = fit(c.records[:k], room-u.size); k == 0 && taken == 0 && force {
				k, size = 1, encodedSize(c.records[:1])
			}
		case k == len(c.records) && c.rough:
			size = encodedSize(c.records) // others may still join the batch: what is left for them is exact
		case k < len(c.records):
			size = int(int64(c.size) * int64(k) / int64(len(c.records)))
		}
		if k == 0 {
			break
		}
		taken += k
		u.size += size
		u.leaderEpoch = c.leaderEpoch
		u.own = c.own && (taken == k || u.own)
		if k < len(c.records) {
			part, partSize = k, min(size, c.size)
			break
		}
		whole++
	}
	if taken == 0 {
		return unit{}
	}
	u.arrived = b.chunks[b.head].arrived
	if c := &b.chunks[b.head]; taken <= len(c.records) {
		u.records = c.records[:taken:taken]
	} else {
		u.records = make([]event.KafkaRecord, 0, taken)
		for i := b.head; i < whole; i++ {
			u.records = append(u.records, b.chunks[i].records...)
		}
		if part > 0 {
			u.records = append(u.records, b.chunks[whole].records[:part]...)
		}
	}
	for ; b.head < whole; b.head++ {
		c := &b.chunks[b.head]
		u.held += c.held
		b.size -= c.size
		*c = chunk{}
	}
	if part > 0 {
		c := &b.chunks[whole]
		// What a part keeps alive is not to be known exactly; its share is fair, and the shares sum up.
		held := int(int64(c.held) * int64(part) / int64(len(c.records)))
		u.held += held
		b.size -= partSize
		c.records, c.size, c.held, c.rough = c.records[part:], c.size-partSize, c.held-held, true
	}
	b.count -= taken
	b.held -= u.held
	return u
}

// most is a size that the first n records do not exceed.
func (b *buffer) most(n int) (size int) {
	for i := b.head; i < len(b.chunks) && n > 0; i++ {
		c := &b.chunks[i]
		k := min(n, len(c.records))
		size += k * c.largest
		n -= k
	}
	return size
}

// encodedSize is what records of one partition add to an event's JSON, each with the comma before or behind it.
func encodedSize(records []event.KafkaRecord) int {
	size, _ := event.RunSize(records)
	return size
}

// fit returns how many of the records, all of one partition, encode to at most room bytes, from the front, and their
// size.
func fit(records []event.KafkaRecord, room int) (n, size int) {
	if len(records) == 0 {
		return 0, 0
	}
	head := event.HeadSize(records[0].Topic, records[0].Partition) + 1
	for i := range records {
		s := head + event.TailSize(&records[i])
		if size+s > room {
			return i, size
		}
		size += s
	}
	return len(records), size
}
