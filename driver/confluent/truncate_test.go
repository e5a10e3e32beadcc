//go:build cgo

package confluent

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/kafkatest"
)

// The log was truncated at 10 and has grown past the position again: an unclean election. The leader answers where the
// epoch of the last record that was read now ends.
func TestALogThatWasCutAndGrewAgain(t *testing.T) {
	fake := kafkatest.Fake(t, kfake.NumBrokers(2))
	b := &broker{Client: fake.Client, t: t, session: 6_000_000_000}
	topic := b.NewTopic(t, 2)
	olderEpochs(t, fake)
	b.produce(topic, 0, 20)
	b.produce(topic, 1, 21)
	m := join(t, b.config("g", topic), from(0))
	p := tp(topic, 0)
	m.untilCount(p, 20)
	m.untilCount(tp(topic, 1), 21)
	fake.Kfake.ControlKey(int16(kmsg.OffsetForLeaderEpoch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.Kfake.KeepControl()
		return epochEnd(req.(*kmsg.OffsetForLeaderEpochRequest), 10), nil, true
	})
	if err := fake.Kfake.MoveTopicPartition(topic, 0, (fake.Kfake.LeaderFor(topic, 0)+1)%2); err != nil {
		t.Fatal(err)
	}
	b.produce(topic, 0, 5) // written to the new leader
	m.until("the report", func() bool { return len(m.errors) > 0 && m.errors[len(m.errors)-1].Kind == driver.KindTruncated })
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.errors[len(m.errors)-1]; e.Offset != 20 || e.To != 10 || e.TopicPartition != p {
		t.Errorf("reported %+v (%v), want %v cut at 10 and read to 20", e, e, p)
	}
}

func epochEnd(req *kmsg.OffsetForLeaderEpochRequest, end int64) *kmsg.OffsetForLeaderEpochResponse {
	resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	for _, t := range req.Topics {
		rt := kmsg.NewOffsetForLeaderEpochResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			rp.Partition, rp.LeaderEpoch, rp.EndOffset = p.Partition, p.LeaderEpoch, 21
			if p.Partition == 0 {
				rp.EndOffset = end
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// olderEpochs makes the in-process Kafka announce OffsetForLeaderEpoch from version 2 on, as Apache Kafka does:
// librdkafka knows no later version, and the scripted answer fits any version.
func olderEpochs(t *testing.T, fake *kafkatest.FakeCluster) {
	cl := fake.Connect(t)
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "test", "0"
	known, err := req.RequestWith(t.Context(), cl)
	if err != nil {
		t.Fatal(err)
	}
	for i := range known.ApiKeys {
		if k := &known.ApiKeys[i]; k.ApiKey == int16(kmsg.OffsetForLeaderEpoch) {
			k.MinVersion = 2
		}
	}
	fake.Kfake.ControlKey(int16(kmsg.ApiVersions), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.Kfake.KeepControl()
		resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
		resp.ApiKeys = known.ApiKeys
		return resp, nil, true
	})
}
