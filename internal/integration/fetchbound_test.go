package integration

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/internal/kafkatest"
	"github.com/esm-go/esm/scaling"
)

// trickle limits the bytes per second that are read from each connection; 0 means no limit.
type trickle struct{ rate atomic.Int64 }

func (w *trickle) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &tricklingConn{Conn: conn, of: w, closed: make(chan struct{})}, nil
}

type tricklingConn struct {
	net.Conn
	of     *trickle
	ending atomic.Bool
	closed chan struct{}
}

func (c *tricklingConn) Read(b []byte) (int, error) {
	rate := c.of.rate.Load()
	if rate > 0 {
		b = b[:min(len(b), 16<<10)]
	}
	n, err := c.Conn.Read(b)
	if rate > 0 && n > 0 {
		select {
		case <-time.After(time.Duration(n) * time.Second / time.Duration(rate)):
		case <-c.closed:
		}
	}
	return n, err
}

func (c *tricklingConn) Close() error {
	if !c.ending.Swap(true) {
		close(c.closed)
	}
	return c.Conn.Close()
}

// Where a member's connections deliver less than the handler could process, another member joins: pollers
// rise when fetching is the bottleneck. When the handler is the bottleneck (TestKafkaDrainFollowsABacklog)
// none does. The test takes the ten seconds for which the policy must see the bottleneck.
func TestKafkaPollersRiseWhereFetchingIsTheBottleneck(t *testing.T) {
	e := newEnv(brokers.Cluster(t), "franz")
	t.Parallel()
	const partitions, backlog = 8, 40_000
	topic := e.NewTopic(t, partitions)
	values := noise()
	e.ProduceN(t, topic, backlog, func(i int) *kgo.Record {
		return kafkatest.At(int32(i)%partitions, &kgo.Record{Value: values[i%len(values)]})
	})
	m := e.mapping(topic)
	m.BatchSize = 10
	m.ProvisionedPollerConfig = &esm.ProvisionedPollerConfig{MinimumPollers: new(1), MaximumPollers: new(4)}
	var slow trickle
	slow.rate.Store(256 << 10) // the backlog would take three minutes: one slow sample of a busy machine does not end it
	var s scalings
	p := e.run(t, m, taking(time.Millisecond), esm.WithScaler(new(scaling.Drain)), esm.WithDialer(slow.dial),
		esm.WithFetch(esm.Fetch{MaxWait: 100 * time.Millisecond, MaxBytes: 256 << 10, MaxPartitionBytes: 64 << 10}), s.hook())
	eventually(t, "a second member", func() bool { return p.runner.Status().Pollers == 2 }, p, &s)
	if !strings.Contains(s.String(), "fetch") {
		t.Errorf("no decision speaks of the fetch: %v", &s)
	}
	slow.rate.Store(0)
	e.committed(t, topic, e.EndOffsets(t, topic), p)
	p.endClean()
	wantOffsets(t, offsets(topic, p), every(partitions, backlog/partitions))
}
