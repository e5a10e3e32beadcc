package membroker

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/esm-go/esm/driver"
)

// maxMetadata is Kafka's default of offset.metadata.max.bytes.
const maxMetadata = 4096

// Commit implements driver.Consumer.
func (c *consumer) Commit(ctx context.Context, commits []driver.Commit) error {
	sent := append([]driver.Commit(nil), commits...)
	c.b.mu.Lock()
	as := sender{member: c.member, generation: c.group.generation}
	for _, k := range sent {
		if c.member != nil && c.group.owner[k.TopicPartition] == c.member {
			as.owned = append(as.owned, k.TopicPartition)
		}
	}
	c.b.mu.Unlock()
	if err := c.b.request(ctx, OpCommit, func() { _ = c.commit(as, sent) }); err != nil {
		return err
	}
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	return c.commit(as, sent)
}

// sender identifies the sender of a commit. owned are the partitions that the member owns: in Kafka the
// generation changes once more before another member owns them.
type sender struct {
	member     *member
	generation int32
	owned      []driver.TopicPartition
}

// commit is the coordinator's part. The caller holds mu.
func (c *consumer) commit(as sender, commits []driver.Commit) error {
	g := c.group
	refused := make(map[driver.TopicPartition]*driver.Error)
	for _, k := range commits {
		refuse := func(kind driver.Kind, why string) {
			refused[k.TopicPartition] = &driver.Error{Kind: kind, TopicPartition: k.TopicPartition, Offset: -1,
				Err: errors.New("memory: " + why)}
		}
		switch {
		case c.member == nil && c.fatal != nil:
			refuse(driver.KindFenced, "another member has this one's place in the group")
		case c.member == nil:
			refuse(driver.KindStaleMember, "the group does not know this member (any more)")
		case k.Assignment > 0 && (c.held[k.TopicPartition] == nil || c.held[k.TopicPartition].assignment != k.Assignment):
			refuse(driver.KindStaleMember, "the assignment that the offset belongs to has ended")
		case as.member != c.member || as.generation != g.generation,
			g.owner[k.TopicPartition] != c.member && slices.Contains(as.owned, k.TopicPartition):
			refuse(driver.KindStaleMember, "the group has moved on since the commit was sent")
		case c.b.partition(k.TopicPartition) == nil:
			refuse(driver.KindUnknownTopic, "there is no such partition")
		case len(k.Metadata) > maxMetadata:
			refuse(driver.KindOther, "the commit's metadata is longer than 4096 bytes")
		case k.Offset < 0:
			refuse(driver.KindOther, "the offset is negative")
		default:
			g.commits[k.TopicPartition] = driver.Committed{TopicPartition: k.TopicPartition, Offset: k.Offset,
				LeaderEpoch: k.LeaderEpoch, Metadata: k.Metadata}
			if c.b.opts.onCommit != nil {
				c.b.opts.onCommit(CommitInfo{Group: g.name, Member: c.member.id, Commit: k,
					Owned: g.owner[k.TopicPartition] == c.member})
			}
		}
	}
	if len(refused) > 0 {
		return &driver.CommitError{Partitions: refused}
	}
	return nil
}

// Committed implements driver.Consumer.
func (c *consumer) Committed(ctx context.Context, partitions []driver.TopicPartition) ([]driver.Committed, error) {
	if err := c.b.request(ctx, OpCommitted, nil); err != nil {
		return nil, err
	}
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	if c.left {
		return nil, errClosed
	}
	answers := make([]driver.Committed, len(partitions))
	for i, tp := range partitions {
		answers[i] = c.group.committed(tp)
	}
	return answers, nil
}

// ListOffsets implements driver.Consumer.
func (c *consumer) ListOffsets(ctx context.Context, queries []driver.OffsetQuery) ([]driver.OffsetAnswer, error) {
	if err := c.b.request(ctx, OpListOffsets, nil); err != nil {
		return nil, err
	}
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	if c.left {
		return nil, errClosed
	}
	answers := make([]driver.OffsetAnswer, len(queries))
	for i, q := range queries {
		a := driver.OffsetAnswer{TopicPartition: q.TopicPartition, At: q.At, Offset: -1, LeaderEpoch: -1}
		p := c.b.partition(q.TopicPartition)
		switch {
		case p == nil:
			a.Err = &driver.Error{Kind: driver.KindUnknownTopic, TopicPartition: q.TopicPartition, Offset: -1,
				Err: errors.New("memory: there is no such partition")}
		case q.At == driver.AtEarliest:
			a.Offset, a.LeaderEpoch = p.start, p.epoch
		case q.At == driver.AtEnd:
			a.Offset, a.LeaderEpoch = p.limit(c.cfg.ReadUncommitted), p.epoch
		case q.At >= 0:
			a.Offset, a.LeaderEpoch = p.atTime(int64(q.At), c.cfg.ReadUncommitted)
		default:
			a.Err = &driver.Error{Kind: driver.KindOther, TopicPartition: q.TopicPartition, Offset: -1,
				Err: errors.New("memory: OffsetQuery.At must be AtEarliest, AtEnd or a time ≥ 0")}
		}
		answers[i] = a
	}
	return answers, nil
}

// Topics implements driver.Consumer.
func (c *consumer) Topics(ctx context.Context, names ...string) ([]driver.Topic, error) {
	if err := c.b.request(ctx, OpTopics, nil); err != nil {
		return nil, err
	}
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	if c.left {
		return nil, errClosed
	}
	if len(names) == 0 {
		for _, name := range c.b.topicNames() {
			if c.subscribes(name) {
				names = append(names, name)
			}
		}
		// A topic that is named but missing gets an answer that says so.
		for _, name := range c.cfg.Topics {
			if !strings.HasPrefix(name, "^") && c.b.topics[name] == nil {
				names = append(names, name)
			}
		}
	}
	answers := make([]driver.Topic, len(names))
	for i, name := range names {
		answers[i].Name = name
		if t := c.b.topics[name]; t != nil {
			answers[i].ID, answers[i].Partitions = t.id, int32(len(t.partitions))
			continue
		}
		answers[i].Err = &driver.Error{Kind: driver.KindUnknownTopic, Offset: -1,
			TopicPartition: driver.TopicPartition{Topic: name, Partition: -1},
			Err:            errors.New("memory: there is no such topic")}
	}
	return answers, nil
}
