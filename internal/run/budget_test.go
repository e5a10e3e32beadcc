package run

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
)

// meteredDriver records the largest run of each partition, and the most that was in use of a budget when a Poll began.
type meteredDriver struct {
	driver.Driver
	used func() int64

	mu      sync.Mutex
	largest map[event.TopicPartition]int64
	most    int64
}

func (d *meteredDriver) Open(cfg driver.Config, l driver.Listener) (driver.Consumer, error) {
	c, err := d.Driver.Open(cfg, l)
	return &meteredConsumer{c, d}, err
}

type meteredConsumer struct {
	driver.Consumer
	d *meteredDriver
}

func (c *meteredConsumer) Poll(ctx context.Context, into *driver.Fetch) error {
	c.d.note(nil)
	err := c.Consumer.Poll(ctx, into)
	c.d.note(into.Runs)
	return err
}

func (d *meteredDriver) note(runs []driver.Run) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.most = max(d.most, d.used())
	for i := range runs {
		d.largest[runs[i].TopicPartition] = max(d.largest[runs[i].TopicPartition], int64(runs[i].Bytes))
	}
}

// hoard is a backlog of large records against a small budget, with handlers that are stuck on some partitions.
type hoard struct {
	Partitions, Stuck, Records, Size   int
	FetchRecords, FetchRuns, BatchSize int
	Slow                               time.Duration
}

const hoardBudget = 1 << 20

// play returns the most that was held over the budget, and what is wrong.
func (h hoard) play() (over int64, err error) {
	b := membroker.NewBroker(nil, membroker.FetchRecords(h.FetchRecords), membroker.FetchRuns(h.FetchRuns))
	b.CreateTopic("t", int32(h.Partitions))
	value := make([]byte, h.Size)
	for p := range int32(h.Partitions) {
		for range h.Records {
			b.Produce("t", membroker.Record{Partition: p, Value: value})
		}
	}
	s := defaults()
	s.BatchSize = h.BatchSize
	d := &meteredDriver{Driver: b.Driver(), largest: make(map[event.TopicPartition]int64)}
	r := newRig(nil, b, s, func(ctx context.Context, e event.KafkaEvent) error {
		time.Sleep(h.Slow)
		for _, records := range e.Records {
			if int(records[0].Partition) < h.Stuck {
				return errors.New("stuck")
			}
		}
		return nil
	}, WithDriver(d), WithBufferBytes(hoardBudget))
	d.used = r.runner.shared.Budget.Used.Load
	r.start()
	pass(time.Hour)
	if err := r.stop(); err != nil {
		return 0, err
	}
	bound := int64(hoardBudget)
	for _, n := range d.largest {
		bound += 2 * n
	}
	if d.most > bound {
		return 0, fmt.Errorf("%d bytes were held, want %d at most", d.most, bound)
	}
	for p := range int32(h.Partitions) {
		want := int64(h.Records)
		if int(p) < h.Stuck {
			want = 0
		}
		if k := b.Committed("g", "t", p).Offset; k != want {
			return 0, fmt.Errorf("partition %d is committed at %d, want %d", p, k, want)
		}
	}
	if n := r.runner.shared.Budget.Used.Load(); n < 0 || h.Stuck == 0 && n != 0 {
		return 0, fmt.Errorf("the budget says %d in use in the end", n)
	}
	return d.most - hoardBudget, nil
}

// Whatever is stuck and however much a Poll returns, the memory held stays within the budget plus two runs per
// partition, and the partitions that are not stuck are handled to their ends.
func TestBudgetBound(t *testing.T) {
	t.Parallel()
	// This one exceeds the budget whatever rapid draws; otherwise the bound might not be tested.
	greedy := hoard{Partitions: 8, Records: 300, Size: 16 << 10, FetchRecords: 100, BatchSize: 1, Slow: 2 * time.Second, Stuck: 8}
	var worst int64
	var err error
	synctest.Test(t, func(*testing.T) { worst, err = greedy.play() })
	if err != nil {
		t.Fatalf("%+v: %v", greedy, err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		h := hoard{
			Partitions:   rapid.IntRange(1, 8).Draw(rt, "partitions"),
			Records:      rapid.IntRange(50, 300).Draw(rt, "records"),
			Size:         rapid.IntRange(100, 16<<10).Draw(rt, "size"),
			FetchRecords: rapid.IntRange(1, 100).Draw(rt, "fetchRecords"),
			FetchRuns:    rapid.IntRange(0, 3).Draw(rt, "fetchRuns"),
			BatchSize:    rapid.SampledFrom([]int{1, 10, 100}).Draw(rt, "batch"),
			Slow:         rapid.SampledFrom([]time.Duration{0, 20 * time.Millisecond, 2 * time.Second}).Draw(rt, "slow"),
		}
		h.Stuck = rapid.IntRange(0, h.Partitions).Draw(rt, "stuck")
		var err error
		var over int64
		synctest.Test(t, func(*testing.T) { over, err = h.play() })
		if err != nil {
			rt.Fatalf("%+v: %v", h, err)
		}
		worst = max(worst, over)
	})
	t.Logf("at most %d bytes over a budget of %d", worst, int64(hoardBudget))
	if worst <= 0 {
		t.Error("the budget was never passed: the bound was not put to the test")
	}
}
