package franz

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/esm-go/esm/driver"
)

var (
	errNotOwned  = errors.New("this member does not own the partition")
	errRecreated = errors.New("the topic was deleted and made again, and the partition has not been started since")
	// errNoneLeft stops a commit of which no partition is left to send.
	errNoneLeft = errors.New("nothing left to commit")
)

// Commit commits positions for the group, as the member and of the generation that this consumer is then. kgo holds
// commits back while the group rebalances and keeps them in order; the partitions that this member no longer owns
// when the request leaves are refused here.
func (c *consumer) Commit(ctx context.Context, commits []driver.Commit) error {
	if len(commits) == 0 {
		return nil
	}
	refused := map[driver.TopicPartition]*driver.Error{}
	offsets := map[string]map[int32]kgo.EpochOffset{}
	metadata := make(map[driver.TopicPartition]string, len(commits))
	for _, m := range commits {
		if offsets[m.Topic] == nil {
			offsets[m.Topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[m.Topic][m.Partition] = kgo.EpochOffset{Epoch: m.LeaderEpoch, Offset: m.Offset}
		metadata[m.TopicPartition] = m.Metadata
	}
	prepare := func(req *kmsg.OffsetCommitRequest) error {
		c.assigned.mu.Lock()
		defer c.assigned.mu.Unlock()
		topics := req.Topics[:0]
		for _, t := range req.Topics {
			kept := t.Partitions[:0]
			for _, p := range t.Partitions {
				tp := driver.TopicPartition{Topic: t.Topic, Partition: p.Partition}
				switch own := c.assigned.get(tp); {
				case own == nil:
					refused[tp] = &driver.Error{Kind: driver.KindStaleMember, TopicPartition: tp, Offset: -1, Err: errNotOwned}
				case own.recreated:
					refused[tp] = &driver.Error{Kind: driver.KindTopicRecreated, TopicPartition: tp, Offset: -1, Err: errRecreated}
				default:
					text := metadata[tp]
					p.Metadata = &text
					kept = append(kept, p)
				}
			}
			if t.Partitions = kept; len(kept) > 0 {
				topics = append(topics, t)
			}
		}
		if req.Topics = topics; len(topics) == 0 {
			return errNoneLeft
		}
		return nil
	}
	var failed error
	answered := func(_ *kgo.Client, req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		if err != nil {
			failed = err
			return
		}
		names := map[[16]byte]string{}
		for _, t := range req.Topics {
			names[t.TopicID] = t.Topic
		}
		for _, t := range resp.Topics {
			name := t.Topic
			if name == "" {
				name = names[t.TopicID] // from version 10 on a topic has its id alone
			}
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					e := c.classify(err)
					if errors.Is(err, kerr.UnknownTopicID) {
						e.Kind = driver.KindTopicRecreated // kgo commits under the id that the records were read under
					}
					e.TopicPartition = driver.TopicPartition{Topic: name, Partition: p.Partition}
					refused[e.TopicPartition] = e
				}
			}
		}
	}

	done := make(chan struct{})
	if !c.goTask(func() {
		defer close(done)
		// kgo waits for an earlier commit whatever becomes of this one's context: hence the goroutine.
		c.client.CommitOffsetsSync(kgo.PreCommitFnContext(ctx, prepare), offsets, answered)
	}) {
		return fmt.Errorf("commit: %w", ErrClosed)
	}
	select {
	case <-done:
	case <-ctx.Done():
		return fmt.Errorf("commit: no answer in time: %w", ctx.Err())
	}
	if failed != nil && !errors.Is(failed, errNoneLeft) {
		e := c.classify(failed)
		return fmt.Errorf("commit: %w", e)
	}
	if len(refused) > 0 {
		return &driver.CommitError{Partitions: refused}
	}
	return nil
}

// Committed asks the group's coordinator for its commits. An offset that a transaction is about to commit is waited
// for (KIP-447).
func (c *consumer) Committed(ctx context.Context, partitions []driver.TopicPartition) ([]driver.Committed, error) {
	if len(partitions) == 0 {
		return nil, nil
	}
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group = c.cfg.GroupID
	for topic, numbers := range unflatten(partitions) {
		t := kmsg.NewOffsetFetchRequestGroupTopic()
		t.Topic, t.Partitions = topic, numbers
		group.Topics = append(group.Topics, t)
	}
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = true
	req.Groups = []kmsg.OffsetFetchRequestGroup{group}

	answers, err := c.fetchCommitted(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("read the commits of group %q: %w", c.cfg.GroupID, c.classify(err))
	}
	list := make([]driver.Committed, len(partitions))
	for i, tp := range partitions {
		a, ok := answers[tp]
		if !ok {
			a.Err = &driver.Error{TopicPartition: tp, Offset: -1, Err: errors.New("the coordinator left the partition out")}
		}
		a.TopicPartition = tp
		list[i] = a
	}
	return list, nil
}

func (c *consumer) fetchCommitted(ctx context.Context, req *kmsg.OffsetFetchRequest) (map[driver.TopicPartition]driver.Committed, error) {
	resp, err := req.RequestWith(ctx, c.client)
	if err != nil {
		return nil, err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, err
	}
	answers := map[driver.TopicPartition]driver.Committed{}
	for _, g := range resp.Groups { // kgo fills it in whatever version the broker speaks
		if err := kerr.ErrorForCode(g.ErrorCode); err != nil {
			return nil, err
		}
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				tp := driver.TopicPartition{Topic: t.Topic, Partition: p.Partition}
				a := driver.Committed{Offset: max(p.Offset, -1), LeaderEpoch: p.LeaderEpoch}
				if p.Metadata != nil {
					a.Metadata = *p.Metadata
				}
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					e := c.classify(err)
					e.TopicPartition = tp
					a.Err = e
				}
				answers[tp] = a
			}
		}
	}
	return answers, nil
}
