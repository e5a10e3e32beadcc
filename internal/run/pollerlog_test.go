package run

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe/pollerlog"
)

// syncBuffer is a buffer for several goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

// take returns the lines so far that contain a text, and discards all lines.
func (s *syncBuffer) take(text string) (lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range strings.Lines(s.b.String()) {
		if strings.Contains(line, text) {
			lines = append(lines, line)
		}
	}
	s.b.Reset()
	return lines
}

func TestPollerLog(t *testing.T) {
	mapped := func(level string) mapping.Mapping {
		m := memoryMapping()
		m.UUID = "8a1d4bd6-7d1b-4f5c-9a53-0c9a5c1b2d3e"
		m.ProvisionedPollerConfig = &mapping.ProvisionedPollerConfig{}
		if level != "" {
			m.LoggingConfig = &mapping.LoggingConfig{SystemLogLevel: level}
		}
		return m
	}
	inBubble(t, "DEBUG: a consumer, its offsets each minute, an error, another assignment", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		var out, second syncBuffer
		named := pollerlog.WithResourceARN(func(uuid string) string { return "arn:of:" + uuid })
		r := newMapped(t, b, mapped("DEBUG"), nil, WithPollerLog(pollerlog.New(&out)), WithPollerLog(pollerlog.New(&second, named))).start()
		pass(time.Second)
		const origin = `"resourceArn":"arn:aws:lambda:::event-source-mapping:8a1d4bd6-7d1b-4f5c-9a53-0c9a5c1b2d3e","eventSourceArn":"b:9092","eventProcessorId":"8a1d4bd6-7d1b-4f5c-9a53-0c9a5c1b2d3e/0"`
		group := r.runner.Status().ConsumerGroupId
		got := out.take("POLLER_STATUS_EVENT")
		if len(got) != 1 {
			t.Fatalf("%d lines of pollers: %s", len(got), got)
		}
		var line struct {
			Connection struct {
				Generation int `json:"partitionsAssignmentGeneration"`
			} `json:"kafkaEventSourceConnection"`
		}
		if err := json.Unmarshal([]byte(got[0]), &line); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{origin, `"logLevel":"INFO"`, `"brokerEndpoints":"b:9092"`, `"consumerId":"8a1d4bd6-7d1b-4f5c-9a53-0c9a5c1b2d3e-0"`, `"topics":["t"]`,
			`"consumerGroupId":"` + group + `"`, `"securityProtocol":"PLAINTEXT"`, `"totalPartitionCount":2,"assignedPartitionCount":2`, `"assignedPartitions":["t-0","t-1"]`} {
			if !strings.Contains(got[0], want) {
				t.Errorf("it lacks %s: %s", want, got[0])
			}
		}
		b.Produce("t", membroker.Record{}, membroker.Record{}, membroker.Record{Partition: 1})
		b.Report("", &driver.Error{Kind: driver.KindUnavailable, Offset: -1, Err: errors.New("gone")})
		pass(5 * time.Second)
		got = out.take("ESM_PROCESSING_EVENT")
		if len(got) != 1 || !strings.Contains(got[0], origin) || !strings.Contains(got[0], `"logLevel":"WARN","error":{"errorMessage":"`) ||
			!strings.Contains(got[0], `gone","errorCode":"org.apache.kafka.common.errors.TimeoutException"}`) {
			t.Errorf("of the error: %s", got)
		}
		pass(time.Minute)
		got = out.take("KAFKA_STATUS_EVENT")
		all := strings.Join(got, "")
		if len(got) != 2 || !strings.Contains(all, `"kafkaPartitionOffsets":{"partition":"t-0","endOffset":2,"consumedOffset":1,"processedOffset":1,"committedOffset":2}`) ||
			!strings.Contains(all, `{"partition":"t-1","endOffset":1,"consumedOffset":0,"processedOffset":0,"committedOffset":1}`) {
			t.Errorf("of the offsets:\n%s", all)
		}
		other := newMapped(t, b, mapped(""), nil).start()
		pass(10 * time.Second)
		if got = out.take("POLLER_STATUS_EVENT"); len(got) == 0 || !strings.Contains(got[len(got)-1], `"assignedPartitionCount":1`) {
			t.Errorf("of another assignment: %s", got)
		}
		other.mustStop()
		r.mustStop()
		kinds := make(map[string]bool)
		for _, line := range second.take("") {
			var e struct{ EventType, ResourceArn string }
			if err := json.Unmarshal([]byte(line), &e); err != nil || e.ResourceArn != "arn:of:8a1d4bd6-7d1b-4f5c-9a53-0c9a5c1b2d3e" {
				t.Errorf("the second log: %s (%v)", line, err)
			}
			kinds[e.EventType] = true
		}
		if len(kinds) != 3 {
			t.Errorf("the second log has only %v", kinds)
		}
	})
	for level, want := range map[string]string{"": "", "WARN": "ESM_PROCESSING_EVENT", "INFO": "ESM_PROCESSING_EVENT POLLER_STATUS_EVENT"} {
		inBubble(t, "level "+level, func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 1)
			var out syncBuffer
			r := newMapped(t, b, mapped(level), func(context.Context, event.KafkaEvent) error { return nil }, WithPollerLog(pollerlog.New(&out))).start()
			b.Report("", &driver.Error{Kind: driver.KindAuthorization, Offset: -1, Err: errors.New("no")})
			pass(2 * time.Minute)
			all := strings.Join(out.take(""), "")
			for _, event := range []string{"ESM_PROCESSING_EVENT", "POLLER_STATUS_EVENT", "KAFKA_STATUS_EVENT"} {
				if strings.Contains(all, event) != strings.Contains(want, event) {
					t.Errorf("want %q, got:\n%s", want, all)
				}
			}
			r.mustStop()
		})
	}
}

func TestStartLineSaysHowItConnects(t *testing.T) {
	inBubble(t, "without credentials", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		var out syncBuffer
		r := newMapped(t, b, memoryMapping(), nil, WithLogger(slog.New(slog.NewTextHandler(&out, nil)))).start()
		r.mustStop()
		got := out.take("event source mapping starts")
		if len(got) != 1 {
			t.Fatalf("%d lines", len(got))
		}
		for _, want := range []string{"Topics=[t]", "StartingPosition=", "protocol=PLAINTEXT", "principal=User:ANONYMOUS", "ConsumerGroupId=", "bootstrap=b:9092"} {
			if !strings.Contains(got[0], want) {
				t.Errorf("it lacks %s: %s", want, got[0])
			}
		}
	})
}
