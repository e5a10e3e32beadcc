package batch

import (
	"time"

	"github.com/esm-go/esm/event"
)

const (
	// LongWait is how long records may wait before they are copied out of the fetch that brought them.
	LongWait = time.Second
	// DetachBytes bounds what the loop copies at a time.
	DetachBytes = 1 << 20
	// slabBytes is the size of the slabs for copied keys and values: small, so that the last one in use keeps little memory
	// alive.
	slabBytes = 64 << 10
	// RecordWeight is about what a record costs in addition to its bytes.
	RecordWeight = 136
	// headerWeight is the same for a header.
	headerWeight = 40
)

// Weight returns the memory of a record on its own.
func Weight(r *event.KafkaRecord) int {
	n := RecordWeight + len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += headerWeight + len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

// Detach copies records with everything that they point to, so that nothing of the fetch that brought them stays alive.
// It returns the copies and their weight.
func Detach(records []event.KafkaRecord) (own []event.KafkaRecord, bytes int) {
	own = make([]event.KafkaRecord, len(records))
	var slab []byte
	carve := func(b []byte) []byte {
		switch n := len(b); {
		case b == nil:
			return nil
		case n == 0:
			return []byte{}
		case n > slabBytes/8:
			return append(make([]byte, 0, n), b...)
		case n > len(slab):
			slab = make([]byte, slabBytes)
		}
		c := slab[:len(b):len(b)]
		slab = slab[len(b):]
		copy(c, b)
		return c
	}
	for i := range records {
		r := records[i]
		bytes += Weight(&r)
		r.Key, r.Value = carve(r.Key), carve(r.Value)
		if r.Headers != nil {
			headers := make([]event.Header, len(r.Headers))
			for k, h := range r.Headers {
				headers[k] = event.Header{Key: string([]byte(h.Key)), Value: carve(h.Value)}
			}
			r.Headers = headers
		}
		own[i] = r
	}
	return own, bytes
}

// Detach copies the chunks that have waited since before the given time, until room bytes are copied. It returns how many
// bytes it copied, and how much more memory is held afterwards.
func (b *Buffer) Detach(before time.Time, room int) (copied, more int) {
	for i := b.head; i < len(b.chunks) && copied < room; i++ {
		c := &b.chunks[i]
		if c.Arrived.After(before) {
			break // chunks are in order of arrival
		}
		if c.Own {
			continue
		}
		var bytes int
		c.Records, bytes = Detach(c.Records)
		copied += bytes
		more += bytes - c.Held
		c.Held, c.Own = bytes, true
	}
	b.Held += more
	return copied, more
}
