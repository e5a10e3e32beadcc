package franz

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// recordPool provides the slabs that kgo decodes batches into. It gets each back when the last of its records has been
// converted and recycled, so in steady state the client allocates nothing per record. A slab with records that are
// dropped without being recycled is left to the garbage collector.
type recordPool struct {
	mu   sync.Mutex
	free [][]kgo.Record
	held int // records in free
}

// maxFreeRecords bounds what the pool keeps: about 14 MB, given the size of a kgo.Record.
const maxFreeRecords = 1 << 16

var _ kgo.PoolRecords = (*recordPool)(nil)

// GetRecords returns a slab for at least n records, preferring the one put back last, which is still in the cache.
func (p *recordPool) GetRecords(n int) []kgo.Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.free) - 1; i >= 0; i-- {
		if slab := p.free[i]; cap(slab) >= n && cap(slab) <= 4*max(n, 64) {
			last := len(p.free) - 1
			p.free[i], p.free[last] = p.free[last], nil
			p.free = p.free[:last]
			p.held -= cap(slab)
			return slab[:n]
		}
	}
	return make([]kgo.Record, n)
}

// PutRecords puts a slab back, zeroed by kgo.
func (p *recordPool) PutRecords(slab []kgo.Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held+cap(slab) > maxFreeRecords {
		return
	}
	p.free = append(p.free, slab)
	p.held += cap(slab)
}
