package batch

import (
	"math/bits"
	"slices"
	"sync"

	"github.com/esm-go/esm/event"
)

// Copies are where batches under way are kept, for the next one when the handler was done with all of it. A mapping that
// is steady allocates nothing for them.
type Copies struct{ pool sync.Pool }

// Copy is the memory of one batch's copy.
type Copy struct {
	Records []event.KafkaRecord
	headers []event.Header
}

// Get returns memory for n records.
func (c *Copies) Get(n int) *Copy {
	k, _ := c.pool.Get().(*Copy)
	if k == nil {
		k = &Copy{}
	}
	if cap(k.Records) < n {
		k.Records = make([]event.KafkaRecord, 0, 1<<bits.Len(uint(n-1)))
	}
	return k
}

// Put takes memory back that nobody refers to any more.
func (c *Copies) Put(k *Copy) {
	clear(k.Records)
	clear(k.headers)
	k.Records, k.headers = k.Records[:0], k.headers[:0]
	c.pool.Put(k)
}

// Add copies records, which the memory has room for.
func (k *Copy) Add(records []event.KafkaRecord) []event.KafkaRecord {
	from := len(k.Records)
	k.Records = append(k.Records, records...)
	mine := slices.Clip(k.Records[from:])
	k.headers = OwnHeaders(mine, k.headers)
	return mine
}

// OwnHeaders gives copied records headers of their own, out of a slab where it has room, and returns what is in use of it.
func OwnHeaders(records []event.KafkaRecord, slab []event.Header) []event.Header {
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
