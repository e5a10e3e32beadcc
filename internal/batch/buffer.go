package batch

import (
	"time"
	"unsafe"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/size"
)

// Chunk is a run of records that waits in a buffer.
type Chunk struct {
	Records     []event.KafkaRecord
	Arrived     time.Time
	LeaderEpoch int32
	// Size is the records' encoded size, Largest that of the largest record, Held the memory that they keep alive.
	Size, Largest, Held int
	// Own is whether the records are copies, which keep nothing else alive.
	Own bool
	// rough is whether Size is what estimated shares left over, not a sum.
	rough bool
}

// Buffer holds the records of one partition that are received and not yet in a batch, in the runs in which they came. It
// is passive and has no clock.
type Buffer struct {
	chunks []Chunk
	head   int // index of the first chunk not yet taken
	Count  int // records
	Size   int // encoded bytes
	Held   int // bytes of memory
}

// Add appends a run.
func (b *Buffer) Add(c Chunk) {
	if len(c.Records) == 0 {
		return
	}
	b.Count += len(c.Records)
	b.Size += c.Size
	b.Held += c.Held
	if b.head == len(b.chunks) {
		b.chunks, b.head = b.chunks[:0], 0
	} else if last := &b.chunks[len(b.chunks)-1]; adjacent(last.Records, c.Records) && last.LeaderEpoch == c.LeaderEpoch {
		// If a driver continues in the same slab, two runs become one without copying. The joined run keeps the earlier
		// arrival, so no window gets longer.
		last.Records = last.Records[:len(last.Records)+len(c.Records)]
		last.Size += c.Size
		last.Largest = max(last.Largest, c.Largest)
		last.Held += c.Held
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

// First returns the oldest record, nil if there is none.
func (b *Buffer) First() *event.KafkaRecord {
	if b.head == len(b.chunks) {
		return nil
	}
	return &b.chunks[b.head].Records[0]
}

// Arrived returns when the oldest record arrived.
func (b *Buffer) Arrived() time.Time { return b.chunks[b.head].Arrived }

// Take removes up to n records from the front whose encoded sizes add up to at most room, and returns them as one slice.
// With force it returns at least one record, whatever its size. It copies records only if the slice spans runs. It
// measures records only if n of the largest size would not fit in room, or to finish a run that was taken in parts.
// Otherwise a part of a run gets its share of the run's size.
func (b *Buffer) Take(n, room int, force bool) Unit {
	var u Unit
	ample := b.most(n) <= room
	whole, part, partSize, taken := b.head, 0, 0, 0 // chunks before whole are taken completely, and part records of chunk whole
	for whole < len(b.chunks) && taken < n {
		c := &b.chunks[whole]
		k, size := min(n-taken, len(c.Records)), c.Size
		switch {
		case !ample:
			if k, size = fit(c.Records[:k], room-u.Size); k == 0 && taken == 0 && force {
				k, size = 1, EncodedSize(c.Records[:1])
			}
		case k == len(c.Records) && c.rough:
			size = EncodedSize(c.Records) // others may still join the batch, so the room left for them must be exact
		case k < len(c.Records):
			size = int(int64(c.Size) * int64(k) / int64(len(c.Records)))
		}
		if k == 0 {
			break
		}
		taken += k
		u.Size += size
		u.LeaderEpoch = c.LeaderEpoch
		u.Own = c.Own && (taken == k || u.Own)
		if k < len(c.Records) {
			part, partSize = k, min(size, c.Size)
			break
		}
		whole++
	}
	if taken == 0 {
		return Unit{}
	}
	u.Arrived = b.chunks[b.head].Arrived
	if c := &b.chunks[b.head]; taken <= len(c.Records) {
		u.Records = c.Records[:taken:taken]
	} else {
		u.Records = make([]event.KafkaRecord, 0, taken)
		for i := b.head; i < whole; i++ {
			u.Records = append(u.Records, b.chunks[i].Records...)
		}
		if part > 0 {
			u.Records = append(u.Records, b.chunks[whole].Records[:part]...)
		}
	}
	for ; b.head < whole; b.head++ {
		c := &b.chunks[b.head]
		u.Held += c.Held
		b.Size -= c.Size
		*c = Chunk{}
	}
	if part > 0 {
		c := &b.chunks[whole]
		// How much memory a part keeps alive cannot be known exactly. Its share is fair, and the shares add up.
		held := int(int64(c.Held) * int64(part) / int64(len(c.Records)))
		u.Held += held
		b.Size -= partSize
		c.Records, c.Size, c.Held, c.rough = c.Records[part:], c.Size-partSize, c.Held-held, true
	}
	b.Count -= taken
	b.Held -= u.Held
	return u
}

// most returns a size that the first n records do not exceed.
func (b *Buffer) most(n int) (size int) {
	for i := b.head; i < len(b.chunks) && n > 0; i++ {
		c := &b.chunks[i]
		k := min(n, len(c.Records))
		size += k * c.Largest
		n -= k
	}
	return size
}

// EncodedSize returns what records of one partition add to an event's JSON, each with the comma before or after it.
func EncodedSize(records []event.KafkaRecord) int {
	total, _ := size.Run(records)
	return total
}

// fit returns how many of the records, from the front, encode to at most room bytes, and their size. All are of one
// partition.
func fit(records []event.KafkaRecord, room int) (n, total int) {
	if len(records) == 0 {
		return 0, 0
	}
	for i := range records {
		s := size.Record(&records[i])
		if total+s > room {
			return i, total
		}
		total += s
	}
	return len(records), total
}
