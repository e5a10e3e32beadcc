package esm

import (
	"strings"
	"testing"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/internal/run"
)

func TestWithFetch(t *testing.T) {
	driver := WithDriver(membroker.NewBroker(t).Driver())
	got := newOptions([]Option{driver, WithFetch(Fetch{MinBytes: 2, MaxWait: 3 * time.Millisecond, MaxBytes: 2 << 20, MaxPartitionBytes: 5})})
	if c := got.Client; got.Err() != nil || c.FetchMinBytes != 2 || c.FetchMaxWait != 3*time.Millisecond || c.FetchMaxBytes != 2<<20 || c.FetchMaxPartitionBytes != 5 {
		t.Errorf("%+v, %v", c, got.Err())
	}
	defaults, zero := newOptions([]Option{driver}).Client, newOptions([]Option{driver, WithFetch(Fetch{})}).Client
	if zero.FetchMinBytes != defaults.FetchMinBytes || zero.FetchMaxWait != defaults.FetchMaxWait ||
		zero.FetchMaxBytes != defaults.FetchMaxBytes || zero.FetchMaxPartitionBytes != defaults.FetchMaxPartitionBytes {
		t.Errorf("the zero Fetch is %+v, the default %+v", zero, defaults)
	}
	for _, c := range []struct {
		fetch Fetch
		names string
	}{
		{Fetch{MinBytes: -1}, "MinBytes: -1"},
		{Fetch{MinBytes: 100_000_001, MaxBytes: 1 << 30}, "MinBytes: 100000001"},
		{Fetch{MinBytes: 3 << 20, MaxBytes: 2 << 20}, "at most 2097152"},
		{Fetch{MinBytes: 9 << 20}, "at most 8388608"},
		{Fetch{MaxWait: -time.Second}, "MaxWait: -1s"},
		{Fetch{MaxWait: time.Microsecond}, "MaxWait: 1µs"},
		{Fetch{MaxWait: 6 * time.Minute}, "MaxWait: 6m0s"},
		{Fetch{MaxBytes: -1}, "MaxBytes: -1"},
		{Fetch{MaxBytes: 1<<31 - 1}, "MaxBytes: 2147483647"},
		{Fetch{MaxPartitionBytes: -1}, "MaxPartitionBytes: -1"},
		{Fetch{MaxPartitionBytes: 1_000_000_001}, "MaxPartitionBytes: 1000000001"},
	} {
		if err := newOptions([]Option{driver, WithFetch(c.fetch)}).Err(); err == nil || !strings.Contains(err.Error(), "WithFetch") || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%+v: %v", c.fetch, err)
		}
	}
}

// A nil policy is like none: the default policy, starting with all workers that the range allows.
func TestWithScalerNil(t *testing.T) {
	driver := WithDriver(membroker.NewBroker(t).Driver())
	if o := newOptions([]Option{driver, WithScaler(nil)}); o.Policy != nil || o.Scaler || o.Err() != nil {
		t.Errorf("policy %v, scaler %v, %v", o.Policy, o.Scaler, o.Err())
	}
}

func newOptions(opts []Option) *options {
	o := run.NewOptions()
	for _, opt := range opts {
		opt.apply(o)
	}
	o.Complete()
	return o
}
