package kafkatest

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// FakeCluster is an in-process Kafka.
type FakeCluster struct {
	*Client
	// Kfake is the fake itself. ControlKey and Fault script its answers; MoveTopicPartition, RemoveNode and
	// ShufflePartitionLeaders cause faults.
	Kfake *kfake.Cluster
}

// Fake runs franz-go's in-process Kafka over TCP until the test ends. Unless opts say otherwise, it has one node, no
// topics, and accepts session timeouts down to 100 ms.
func Fake(tb testing.TB, opts ...kfake.Opt) *FakeCluster {
	tb.Helper()
	defaults := []kfake.Opt{kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(100 * time.Millisecond)}
	k, err := kfake.NewCluster(append(defaults, opts...)...)
	if err != nil {
		tb.Fatalf("kafkatest: start the in-process Kafka: %v", err)
	}
	tb.Cleanup(k.Close)
	client, err := newClient(k.ListenAddrs(), 1)
	if err != nil {
		tb.Fatalf("kafkatest: %v", err)
	}
	tb.Cleanup(client.close)
	return &FakeCluster{Client: client, Kfake: k}
}
