package integration

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/esm-go/esm/driver"
)

// crowd is a number of partitions whose positions, with the longest names, are more than one batch of the
// topic for commits may hold.
const crowd = 2200

// A coordinator writes the positions of one request as one batch, and rejects the whole request when the
// batch exceeds message.max.bytes (1 MiB): the starts of many partitions must be sent in several requests.
func startACrowd(t *testing.T, e *env) {
	topic := strings.Repeat("t", 230) + "-" + e.group
	e.group += "-" + strings.Repeat("g", 180)
	e.CreateTopic(t, topic, crowd)
	defer e.DeleteTopic(t, topic) // a shared broker should not keep it any longer
	p := e.run(t, e.mapping(topic), nil).ready()
	want := make(map[int32]int64, crowd)
	for i := range int32(crowd) {
		want[i] = 0
	}
	if got := e.Committed(t, e.group, topic); !maps.Equal(got, want) {
		t.Errorf("%d of %d partitions have a start: %v", len(got), crowd, p)
	}
	e.fill(t, topic, crowd-1, 10)
	want[crowd-1] = 10
	e.committed(t, topic, want, p)
	p.endClean()
	p.note(func() {
		for _, e := range p.errs {
			if refused, ok := errors.AsType[*driver.CommitError](e.Err); ok {
				t.Errorf("%s: %v", e.Op, refused)
			}
		}
	})
}

func TestAGroupOfManyPartitions(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		e.fake.Kfake.ControlKey(int16(kmsg.OffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
			e.fake.Kfake.KeepControl()
			return refuseLargeCommit(req.(*kmsg.OffsetCommitRequest))
		})
		startACrowd(t, e)
	})
}

// The broker alone takes ten seconds to create the logs, so one driver must do.
func TestKafkaAGroupOfManyPartitions(t *testing.T) {
	c := brokers.Cluster(t)
	t.Parallel()
	startACrowd(t, newEnv(c, "franz"))
}

// refuseLargeCommit behaves like Apache Kafka when a request's positions exceed message.max.bytes.
func refuseLargeCommit(r *kmsg.OffsetCommitRequest) (kmsg.Response, error, bool) {
	const (
		mostBytes   = 1 << 20
		recordBytes = 60 // a position apart from its names and metadata
	)
	bytes := 0
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			bytes += recordBytes + len(r.Group) + len(t.Topic) + len(*p.Metadata)
		}
	}
	if bytes <= mostBytes {
		return nil, nil, false
	}
	resp := r.ResponseKind().(*kmsg.OffsetCommitResponse)
	for _, t := range r.Topics {
		rt := kmsg.NewOffsetCommitResponseTopic()
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetCommitResponseTopicPartition()
			rp.Partition, rp.ErrorCode = p.Partition, kerr.InvalidCommitOffsetSize.Code
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp, nil, true
}
