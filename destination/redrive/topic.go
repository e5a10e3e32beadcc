package redrive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/driver/franz"
)

// TopicConfig configures how a topic of failures is read.
type TopicConfig struct {
	// Connection is the cluster: BootstrapServers, ClientID, Credentials, Dialer and Logger are used.
	Connection driver.ProducerConfig
	// Topic is the topic of failures.
	Topic string
	// Group stores the progress in its commits. It has no members: two concurrent runs would bring everything back
	// twice. Empty means "esm-redrive-" and the topic, followed by the filter's ID if there is one.
	Group string
	// Filter is the run's filter: failures that it does not choose are skipped for good in its group.
	Filter Filter
}

// topicSource reads a topic to the end that it had when it was opened.
type topicSource struct {
	config TopicConfig
	client *kgo.Client
	admin  *kadm.Client
	parts  map[int32]*topicPart
	total  int64
	held   []*kgo.Record // read, but not returned yet
	live   int           // partitions that have not been read to their end
}

// topicPart is the progress in one partition.
type topicPart struct {
	next, end int64 // the next offset to read, and the end
	commit    int64
	// pending are the offsets that were read, in order; settled marks those that are done.
	pending []int64
	settled map[int64]bool
	dirty   bool
}

// FromTopic opens a topic of failures. It reads from the group's commits to the topic's current end. It needs the ACLs
// Read and Describe on topic and group, and Write on the topic for what fails again.
func FromTopic(ctx context.Context, config TopicConfig) (Source, error) {
	if config.Group == "" {
		config.Group = "esm-redrive-" + config.Topic
		if id := config.Filter.ID(); id != "" {
			config.Group += "-" + id
		}
	}
	opts, err := franz.ConnectOpts(config.Connection)
	if err != nil {
		return nil, err
	}
	s := &topicSource{config: config, parts: make(map[int32]*topicPart)}
	admin, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, err
	}
	begin, err := s.position(ctx, kadm.NewClient(admin))
	admin.Close()
	if err != nil {
		return nil, fmt.Errorf("redrive: open the topic %s: %w", config.Topic, err)
	}
	opts = append(opts, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ProducerBatchMaxBytes(64<<20), kgo.ProducerLinger(0))
	if len(begin) > 0 {
		opts = append(opts, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{config.Topic: begin}), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	}
	if s.client, err = kgo.NewClient(opts...); err != nil {
		return nil, err
	}
	s.admin = kadm.NewClient(s.client)
	return s, nil
}

// position determines where reading starts and ends in each partition.
func (s *topicSource) position(ctx context.Context, admin *kadm.Client) (map[int32]kgo.Offset, error) {
	starts, err := admin.ListStartOffsets(ctx, s.config.Topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, err
	}
	ends, err := admin.ListCommittedOffsets(ctx, s.config.Topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, err
	}
	group, err := admin.FetchOffsets(ctx, s.config.Group)
	if err == nil {
		err = group.Error()
	}
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("the commits of group %s: %w", s.config.Group, err)
	}
	begin := make(map[int32]kgo.Offset)
	starts.Each(func(o kadm.ListedOffset) {
		at := o.Offset
		if c, ok := group.Lookup(o.Topic, o.Partition); ok && c.At > at {
			at = c.At
		}
		end, _ := ends.Lookup(o.Topic, o.Partition)
		if at >= end.Offset {
			return
		}
		s.parts[o.Partition] = &topicPart{next: at, end: end.Offset, commit: at, settled: make(map[int64]bool)}
		s.total += end.Offset - at
		s.live++
		begin[o.Partition] = kgo.NewOffset().At(at)
	})
	return begin, nil
}

// Total returns the number of offsets between the positions and the ends.
func (s *topicSource) Total(context.Context) int64 { return s.total }

// Read returns the next failures.
func (s *topicSource) Read(ctx context.Context, n int) ([]*Item, error) {
	for len(s.held) == 0 {
		if s.live == 0 {
			return nil, io.EOF
		}
		limited, cancel := context.WithTimeout(ctx, stalled)
		fetches := s.client.PollFetches(limited)
		expired := limited.Err() != nil
		cancel()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		for _, e := range fetches.Errors() {
			if e.Topic != "" && !kgo.IsRetryableBrokerErr(e.Err) {
				return nil, fmt.Errorf("%s-%d: %w", e.Topic, e.Partition, e.Err)
			}
		}
		if expired && fetches.NumRecords() == 0 {
			return nil, fmt.Errorf("no failure came in %s, and %d partitions of %s are not read to their end", stalled, s.live, s.config.Topic)
		}
		fetches.EachPartition(s.take)
	}
	n = min(n, len(s.held))
	items := make([]*Item, 0, n)
	for _, r := range s.held[:n] {
		items = append(items, s.item(r))
	}
	s.held = s.held[n:]
	return items, nil
}

// take keeps the records that a fetch has for a partition, up to its end.
func (s *topicSource) take(p kgo.FetchTopicPartition) {
	part := s.parts[p.Partition]
	if part == nil || part.next >= part.end {
		return
	}
	for _, r := range p.Records {
		if r.Offset < part.end && !r.Attrs.IsControl() {
			s.held = append(s.held, r)
			part.pending = append(part.pending, r.Offset)
		}
		part.next = r.Offset + 1
		if part.next >= part.end {
			s.live--
			s.client.PauseFetchPartitions(map[string][]int32{p.Topic: {p.Partition}})
			return
		}
	}
}

func (s *topicSource) item(r *kgo.Record) *Item {
	i := &Item{Where: fmt.Sprintf("%s-%d@%d", r.Topic, r.Partition, r.Offset), token: r}
	attributes := make(map[string]string)
	for _, h := range r.Headers { // the record's own headers come first, so ours win
		attributes[h.Key] = string(h.Value)
	}
	i.read(r.Value, attributes)
	return i
}

// Done marks the failures as done, and commits up to the first failure that is not settled.
func (s *topicSource) Done(ctx context.Context, items []*Item) error {
	for _, i := range items {
		r, _ := i.token.(*kgo.Record)
		s.parts[r.Partition].settle(r.Offset)
	}
	return s.commit(ctx)
}

// Release skips the failures: they stay in the topic.
func (s *topicSource) Release(_ context.Context, items []*Item) error {
	for _, i := range items {
		r, _ := i.token.(*kgo.Record)
		s.parts[r.Partition].settle(r.Offset)
	}
	return nil // the next Done, or Close, commits it
}

// Return writes the failures to the end of the topic, and then skips the old ones.
func (s *topicSource) Return(ctx context.Context, items []*Item) error {
	records := make([]*kgo.Record, len(items))
	for k, i := range items {
		r, _ := i.token.(*kgo.Record)
		again := &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			if h.Key != destination.AttributeRedrives {
				again.Headers = append(again.Headers, h)
			}
		}
		again.Headers = append(again.Headers, kgo.RecordHeader{Key: destination.AttributeRedrives, Value: []byte(strconv.Itoa(i.Redrives + 1))})
		records[k] = again
	}
	// One by one: each fits into a request by itself, because it is in the topic already.
	for _, r := range records {
		if err := s.client.ProduceSync(ctx, r).FirstErr(); err != nil {
			return fmt.Errorf("write a failure to the end of %s: %w", s.config.Topic, err)
		}
	}
	return s.Done(ctx, items)
}

// settle marks an offset, and advances the commit to the first offset that is not settled.
func (p *topicPart) settle(offset int64) {
	p.settled[offset] = true
	for len(p.pending) > 0 && p.settled[p.pending[0]] {
		delete(p.settled, p.pending[0])
		p.commit, p.dirty = p.pending[0]+1, true
		p.pending = p.pending[1:]
	}
	if len(p.pending) == 0 && p.next >= p.end && p.commit != p.end {
		p.commit, p.dirty = p.end, true
	}
}

func (s *topicSource) commit(ctx context.Context) error {
	offsets := make(kadm.Offsets)
	for partition, p := range s.parts {
		if p.dirty {
			offsets.AddOffset(s.config.Topic, partition, p.commit, -1)
		}
	}
	if len(offsets) == 0 {
		return nil
	}
	if err := s.admin.CommitAllOffsets(ctx, s.config.Group, offsets); err != nil {
		return fmt.Errorf("commit for group %s: %w", s.config.Group, err)
	}
	for _, p := range s.parts {
		p.dirty = false
	}
	return nil
}

// Close commits what was settled and closes the client.
func (s *topicSource) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	err := s.commit(ctx)
	s.client.Close()
	return err
}
