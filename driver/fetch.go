package driver

import (
	"slices"
	"unsafe"

	"github.com/esm-go/esm/event"
)

// Fetch is the result of one Poll. The next Poll into the same Fetch reuses the slices, but not the records in the
// runs, except those that the receiver gives back.
type Fetch struct {
	Runs   []Run
	Errors []*Error

	lent  [][]event.KafkaRecord // since the last Reset
	spare [][]event.KafkaRecord // the newest last
}

// maxSpare is how many slabs of records a Fetch keeps: about those of one Poll over the partitions of a busy consumer.
const maxSpare = 16

// Reset empties the fetch and keeps its memory. It drops the slabs that were given back if no records were taken since
// the last Reset, so that an idle Fetch holds none.
func (f *Fetch) Reset() {
	clear(f.Runs)
	clear(f.Errors)
	f.Runs, f.Errors = f.Runs[:0], f.Errors[:0]
	if len(f.lent) == 0 {
		clear(f.spare)
		f.spare = f.spare[:0]
	}
	clear(f.lent)
	f.lent = f.lent[:0]
}

// Records returns n empty records for a driver to fill. It reuses a slab that was given back if one is large enough but
// at most twice as large as needed.
func (f *Fetch) Records(n int) []event.KafkaRecord {
	for i, slab := range slices.Backward(f.spare) {
		if n <= cap(slab) && cap(slab) <= 2*n {
			f.spare = slices.Delete(f.spare, i, i+1)
			f.lent = append(f.lent, slab)
			return slab[:n]
		}
	}
	slab := make([]event.KafkaRecord, n)
	f.lent = append(f.lent, slab)
	return slab
}

// GiveBack says that the records of a run are no longer needed, for example because a filter dropped all of them. It
// clears them. A later Poll may reuse their memory if they are a whole slab that Records returned since the last Reset:
// the run begins with the slab's first record and has its capacity.
func (f *Fetch) GiveBack(records []event.KafkaRecord) {
	clear(records)
	i := slices.IndexFunc(f.lent, func(slab []event.KafkaRecord) bool {
		return len(records) > 0 && unsafe.SliceData(slab) == unsafe.SliceData(records) && cap(slab) == cap(records)
	})
	if i < 0 {
		return
	}
	if len(f.spare) == maxSpare {
		f.spare = slices.Delete(f.spare, 0, 1) // the oldest, which has fitted no request for the longest time
	}
	f.spare = append(f.spare, f.lent[i])
	f.lent[i] = nil
}
