package integration

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/esm-go/esm/internal/kafkatest"
)

// groups counts the groups of this run on Apache Kafka.
var groups atomic.Int64

// onKafka runs a test concurrently for each driver, on a cluster that all tests share.
func onKafka(t *testing.T, test func(t *testing.T, e *env)) {
	t.Helper()
	c := brokers.Cluster(t)
	t.Parallel()
	for name := range drivers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newEnv(c, name))
		})
	}
}

func newEnv(c *kafkatest.Cluster, name string) *env {
	return &env{Client: c.Client, driver: drivers[name], group: fmt.Sprintf("%s-%d", name, groups.Add(1))}
}

// orders holds topics of 8 partitions filled with produceOrders, by their size; tests only read them.
var orders struct {
	sync.Mutex
	topics map[int]*sync.Once
}

func ordersTopic(t testing.TB, c *kafkatest.Client, n int) string {
	t.Helper()
	orders.Lock()
	if orders.topics == nil {
		orders.topics = map[int]*sync.Once{}
	}
	once := orders.topics[n]
	if once == nil {
		once = new(sync.Once)
		orders.topics[n] = once
	}
	orders.Unlock()
	topic := fmt.Sprintf("orders-%d", n)
	once.Do(func() {
		c.CreateTopic(t, topic, 8)
		produceOrders(t, c, topic, n)
	})
	return topic
}
