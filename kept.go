package esm

import (
	"math/bits"
	"slices"
	"sync"

	"github.com/esm-go/esm/event"
)

// What a handler is given is the handler's: it may sort, truncate and overwrite it. So the engine keeps a copy of a batch
// from before its first invocation, and goes by that alone: positions, items, retries, drops. Of the bytes of keys and
// values, which the doc tells handlers to leave as they are, there is no copy.

// copies are where batches under way are kept, for the next one when the handler was done with all of it. A mapping that
// is steady allocates nothing for them.
type copies struct{ pool sync.Pool }

// keepsake is the memory of one batch's copy.
type keepsake struct {
	records []event.KafkaRecord
	headers []event.Header
}

// get returns memory for n records.
func (c *copies) get(n int) *keepsake {
	k, _ := c.pool.Get().(*keepsake)
	if k == nil {
		k = &keepsake{}
	}
	if cap(k.records) < n {
		k.records = make([]event.KafkaRecord, 0, 1<<bits.Len(uint(n-1)))
	}
	return k
}

// put takes memory back that nobody refers to any more.
func (c *copies) put(k *keepsake) {
	clear(k.records)
	clear(k.headers)
	k.records, k.headers = k.records[:0], k.headers[:0]
	c.pool.Put(k)
}

// handOut makes what the handler gets of a batch. Of a first try that is what the client made, and the engine goes on with
// a copy; of another one it is a copy of what the engine kept.
func (m *member) handOut(inv *invocation) map[string][]event.KafkaRecord {
	records := make(map[string][]event.KafkaRecord, len(inv.parts))
	for i := range inv.parts {
		part := &inv.parts[i]
		u := &part.p.work[0]
		if u.kept {
			again := slices.Clone(part.records)
			ownHeaders(again, nil)
			records[part.p.key] = again
			continue
		}
		records[part.p.key] = part.records
		if inv.copy == nil {
			inv.copy = m.copies.get(inv.Records)
		}
		part.records = inv.copy.add(part.records)
		u.records, u.kept = part.records, true
	}
	return records
}

// add copies records, which the memory has room for.
func (k *keepsake) add(records []event.KafkaRecord) []event.KafkaRecord {
	from := len(k.records)
	k.records = append(k.records, records...)
	mine := slices.Clip(k.records[from:])
	k.headers = ownHeaders(mine, k.headers)
	return mine
}

// ownHeaders gives copied records headers of their own, out of a slab where it has room, and returns what is in use of it.
func ownHeaders(records []event.KafkaRecord, slab []event.Header) []event.Header {
	n := 0
	for i := range records {
		n += len(records[i].Headers)
	}
	if n == 0 {
		return slab
	}
	if cap(slab)-len(slab) < n { // what was carved out before stays where it is
		slab = make([]event.Header, 0, max(n, 2*cap(slab)))
	}
	for i := range records {
		if r := &records[i]; len(r.Headers) > 0 {
			from := len(slab)
			slab = append(slab, r.Headers...)
			r.Headers = slices.Clip(slab[from:])
		}
	}
	return slab
}
