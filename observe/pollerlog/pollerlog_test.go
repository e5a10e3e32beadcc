package pollerlog_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/esm-go/esm/observe/pollerlog"
)

func all(l *pollerlog.Log, level string) {
	o := pollerlog.Origin{Level: level, UUID: "u", EventSourceARN: "b:9092"}
	l.Processing(o, pollerlog.ProcessingError{ErrorMessage: "timed out", ErrorCode: "org.apache.kafka.common.errors.TimeoutException"})
	l.PollerStatus(o, pollerlog.Connection{
		BrokerEndpoints: "b:9092", ConsumerID: "u-0", Topics: []string{"test"}, ConsumerGroupId: "g", SecurityProtocol: "SASL_SSL", SASLMechanism: "SCRAM-SHA-512",
		TotalPartitionCount: 2, AssignedPartitionCount: 1, PartitionsAssignmentGeneration: 3, AssignedPartitions: []string{"test-0"},
	})
	l.KafkaStatus(o, pollerlog.Offsets{Partition: "test-1", EndOffset: 5004, ConsumedOffset: 5003, ProcessedOffset: 5003, CommittedOffset: 5004})
}

var inFrankfurt = pollerlog.WithResourceARN(func(uuid string) string {
	return "arn:aws:lambda:eu-central-1:123456789012:event-source-mapping:" + uuid
})

const golden = `{"eventType":"ESM_PROCESSING_EVENT","timestamp":946684800000,"resourceArn":"arn:aws:lambda:eu-central-1:123456789012:event-source-mapping:u","eventSourceArn":"b:9092","eventProcessorId":"u/0","logLevel":"WARN","error":{"errorMessage":"timed out","errorCode":"org.apache.kafka.common.errors.TimeoutException"}}
{"eventType":"POLLER_STATUS_EVENT","timestamp":946684800000,"resourceArn":"arn:aws:lambda:eu-central-1:123456789012:event-source-mapping:u","eventSourceArn":"b:9092","eventProcessorId":"u/0","logLevel":"INFO","kafkaEventSourceConnection":{"brokerEndpoints":"b:9092","consumerId":"u-0","topics":["test"],"consumerGroupId":"g","securityProtocol":"SASL_SSL","saslMechanism":"SCRAM-SHA-512","totalPartitionCount":2,"assignedPartitionCount":1,"partitionsAssignmentGeneration":3,"assignedPartitions":["test-0"]}}
{"eventType":"KAFKA_STATUS_EVENT","timestamp":946684800000,"resourceArn":"arn:aws:lambda:eu-central-1:123456789012:event-source-mapping:u","eventSourceArn":"b:9092","eventProcessorId":"u/0","logLevel":"DEBUG","kafkaPartitionOffsets":{"partition":"test-1","endOffset":5004,"consumedOffset":5003,"processedOffset":5003,"committedOffset":5004}}
`

func TestGolden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a bubble begins in the year 2000
		for level, lines := range map[string]int{pollerlog.Debug: 3, pollerlog.Info: 2, pollerlog.Warn: 1, "": 0} {
			var out bytes.Buffer
			all(pollerlog.New(&out, inFrankfurt), level)
			if want := strings.Join(strings.SplitAfter(golden, "\n")[:lines], ""); out.String() != want {
				t.Errorf("level %q: got\n%swant\n%s", level, out.String(), want)
			}
		}
	})
}

// A slog handler gets the same fields.
func TestHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		all(pollerlog.NewHandler(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}), inFrankfurt), pollerlog.Debug)
		got, want := strings.SplitAfter(out.String(), "\n"), strings.SplitAfter(golden, "\n")
		if len(got) != len(want) {
			t.Fatalf("got\n%s", out.String())
		}
		for i := range want[:3] {
			var a, b map[string]any
			if err := json.Unmarshal([]byte(got[i]), &a); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(want[i]), &b); err != nil {
				t.Fatal(err)
			}
			if a["msg"] != b["eventType"] || a["level"] != b["logLevel"] {
				t.Errorf("line %d: %s", i, got[i])
			}
			for _, extra := range []string{"time", "level", "msg"} {
				delete(a, extra)
			}
			x, _ := json.Marshal(a)
			y, _ := json.Marshal(b)
			if !bytes.Equal(x, y) {
				t.Errorf("line %d: got\n%s\nwant\n%s", i, x, y)
			}
		}
	})
}
