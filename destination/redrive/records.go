package redrive

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/driver/franz"
	"github.com/esm-go/esm/event"
)

// Reader implements Records by reading from a Kafka cluster. It joins no group and commits nothing.
type Reader struct{ config driver.ProducerConfig }

var _ Records = (*Reader)(nil)

// NewReader returns a Reader for the cluster of config, of which it uses BootstrapServers, ClientID, Credentials,
// Dialer and Logger. It needs the ACLs Read and Describe on the topics.
func NewReader(config driver.ProducerConfig) *Reader { return &Reader{config: config} }

// span is the range of offsets to read from a partition.
type span struct {
	want        []destination.Offsets
	first, last int64
}

// Fetch reads committed records, each once, in the order of their offsets within each partition.
func (r *Reader) Fetch(ctx context.Context, offsets []destination.Offsets) ([]event.KafkaRecord, error) {
	spans := make(map[string]map[int32]*span)
	var topics []string
	for _, o := range offsets {
		if len(o.Runs) == 0 {
			continue
		}
		if spans[o.Topic] == nil {
			spans[o.Topic] = make(map[int32]*span)
			topics = append(topics, o.Topic)
		}
		first, last := o.Runs[0].First, o.Runs[len(o.Runs)-1].Last
		s := spans[o.Topic][o.Partition]
		if s == nil {
			s = &span{first: first, last: last}
			spans[o.Topic][o.Partition] = s
		}
		s.first, s.last, s.want = min(s.first, first), max(s.last, last), append(s.want, o)
	}
	opts, err := franz.ConnectOpts(r.config)
	if err != nil {
		return nil, err
	}
	begin, err := r.bounds(ctx, opts, topics, spans)
	if err != nil || len(begin) == 0 {
		return nil, err
	}
	return read(ctx, append(opts, kgo.ConsumePartitions(begin), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), spans)
}

// bounds limits the spans to what the partitions contain, and returns where to start. Records before the log start or
// after the end are gone.
func (r *Reader) bounds(ctx context.Context, opts []kgo.Opt, topics []string, spans map[string]map[int32]*span) (map[string]map[int32]kgo.Offset, error) {
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("ask for the start of %v: %w", topics, err)
	}
	ends, err := admin.ListCommittedOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("ask for the end of %v: %w", topics, err)
	}
	begin := make(map[string]map[int32]kgo.Offset)
	for topic, partitions := range spans {
		for partition, s := range partitions {
			start, ok := starts.Lookup(topic, partition)
			end, there := ends.Lookup(topic, partition)
			switch {
			case !ok || !there:
				delete(partitions, partition) // the topic or its partition no longer exists
				continue
			case start.Err != nil:
				return nil, fmt.Errorf("ask for the start of %s-%d: %w", topic, partition, start.Err)
			case end.Err != nil:
				return nil, fmt.Errorf("ask for the end of %s-%d: %w", topic, partition, end.Err)
			}
			s.first, s.last = max(s.first, start.Offset), min(s.last, end.Offset-1)
			if s.first > s.last {
				delete(partitions, partition)
				continue
			}
			if begin[topic] == nil {
				begin[topic] = make(map[int32]kgo.Offset)
			}
			begin[topic][partition] = kgo.NewOffset().At(s.first)
		}
	}
	return begin, nil
}

// stalled is how long a read waits for the next record before it gives up. The partition's end is known, so a record
// arrives unless the broker is unavailable.
const stalled = 30 * time.Second

// read reads the spans to their ends.
func read(ctx context.Context, opts []kgo.Opt, spans map[string]map[int32]*span) ([]event.KafkaRecord, error) {
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	open := 0
	for _, partitions := range spans {
		open += len(partitions)
	}
	var all []event.KafkaRecord
	for open > 0 {
		limited, cancel := context.WithTimeout(ctx, stalled)
		fetches := client.PollFetches(limited)
		expired := limited.Err() != nil
		cancel()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if expired && fetches.NumRecords() == 0 {
			return nil, fmt.Errorf("no record came in %s, and %d partitions are not read to their end", stalled, open)
		}
		for _, e := range fetches.Errors() {
			if !kgo.IsRetryableBrokerErr(e.Err) {
				return nil, fmt.Errorf("read %s-%d: %w", e.Topic, e.Partition, e.Err)
			}
		}
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			s := spans[p.Topic][p.Partition]
			if s == nil {
				return
			}
			for _, r := range p.Records {
				if r.Offset <= s.last && !r.Attrs.IsControl() && s.contains(r.Offset) {
					all = append(all, recordOf(r))
				}
				if r.Offset >= s.last {
					delete(spans[p.Topic], p.Partition)
					open--
					client.PauseFetchPartitions(map[string][]int32{p.Topic: {p.Partition}})
					return
				}
			}
		})
	}
	return all, nil
}

func (s *span) contains(offset int64) bool {
	for i := range s.want {
		if s.want[i].Contains(offset) {
			return true
		}
	}
	return false
}

// recordOf returns the record in the form in which a mapping passes it to a handler.
func recordOf(r *kgo.Record) event.KafkaRecord {
	out := event.KafkaRecord{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp.UnixMilli(), Key: r.Key, Value: r.Value}
	switch r.Attrs.TimestampType() {
	case 1:
		out.TimestampType = event.LogAppendTime
	case -1:
		out.TimestampType, out.Timestamp = event.NoTimestampType, -1
	}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, event.Header{Key: h.Key, Value: h.Value})
	}
	return out
}
