package batch

import (
	"math/bits"
	"slices"
	"sync"

	"github.com/esm-go/esm/event"
)

// Copies recycles the copies of batches in flight. A copy is reused when its batch is completely done, so a mapping under
// steady load allocates nothing for them.
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

// Put returns memory that nothing refers to any longer.
func (c *Copies) Put(k *Copy) {
	clear(k.Records)
	clear(k.headers)
	k.Records, k.headers = k.Records[:0], k.headers[:0]
	c.pool.Put(k)
}

// Add copies records. The memory must have room for them.
func (k *Copy) Add(records []event.KafkaRecord) []event.KafkaRecord {
	from := len(k.Records)
	k.Records = append(k.Records, records...)
	mine := slices.Clip(k.Records[from:])
	k.headers = OwnHeaders(mine, k.headers)
	return mine
}

// OwnHeaders gives copied records their own headers, from slab if it has room. It returns the slab in use.
func OwnHeaders(records []event.KafkaRecord, slab []event.Header) []event.Header {
	n := 0
	for i := range records {
		n += len(records[i].Headers)
	}
	if n == 0 {
		return slab
	}
	if cap(slab)-len(slab) < n { // the headers carved out before stay where they are
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
