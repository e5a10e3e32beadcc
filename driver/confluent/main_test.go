//go:build cgo

package confluent

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/esm-go/esm/internal/kafkatest"
)

var brokers kafkatest.Pool

// TestMain looks for leaked goroutines. Tests that stop the broker and then call Close abandon a client on purpose:
// librdkafka takes minutes to close it, and its log has a reader until then.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(brokers.Main(m),
		goleak.IgnoreAnyFunction("github.com/esm-go/esm/driver/confluent.(*consumer).shutDown"),
		goleak.IgnoreAnyFunction("github.com/esm-go/esm/driver/confluent.(*logPump).start.func1"),
		goleak.IgnoreAnyFunction("github.com/confluentinc/confluent-kafka-go/v2/kafka._Cfunc_rd_kafka_queue_poll"))
}

// TestFake runs the cases against the in-process broker.
func TestFake(t *testing.T) {
	for name, body := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body(t, newBroker(t))
		})
	}
}

// TestKafka runs the cases against Apache Kafka.
func TestKafka(t *testing.T) {
	cluster := brokers.Cluster(t)
	for name, body := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body(t, &broker{Client: cluster.Client, t: t, session: 6 * time.Second})
		})
	}
}

// cases are tests that run on both brokers.
var cases = map[string]func(*testing.T, *broker){
	"reads from where it starts":          readsFromWhereItStarts,
	"held until started":                  heldUntilStarted,
	"records as they were written":        recordsAsWritten,
	"transactions":                        transactions,
	"moves a running partition":           movesRunning,
	"pauses and goes on":                  pausesAndGoesOn,
	"a start keeps a pause":               startKeepsPause,
	"out of range once":                   outOfRangeOnce,
	"commits with epoch and metadata":     commitsWithMetadata,
	"looks offsets up":                    looksOffsetsUp,
	"describes topics":                    describesTopics,
	"two members cooperate":               twoMembersCooperate,
	"two members by range":                twoMembersByRange,
	"another protocol in the group":       anotherProtocol,
	"a pause ends with the assignment":    pauseEndsWithAssignment,
	"unknown topic":                       unknownTopic,
	"after Close":                         afterClose,
	"wishes take effect at once":          wishesAtOnce,
	"a topic pattern finds a later topic": patternFindsLaterTopic,
}
