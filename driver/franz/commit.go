package franz

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/esm-go/esm/driver"
)

var (
	errNotOwned  = errors.New("this member does not own the partition")
	errRecreated = errors.New("the topic was deleted and recreated, and the partition has not been started since")
)

// Commit commits positions for the group, with the member ID and generation of the assignment that they belong to. A
// group that has moved on refuses them. kgo's own commit would use whatever member ID and generation kgo has at that
// moment. If the coordinator no longer knew the member, kgo would rejoin with its old partitions, as if no other member
// had owned them meanwhile. Commit itself refuses partitions that this member no longer owns.
func (c *consumer) Commit(ctx context.Context, commits []driver.Commit) error {
	if len(commits) == 0 {
		return nil
	}
	commits = slices.Clone(commits) // the request may outlive this call
	refused, err := call(ctx, c, func() (refusals, error) {
		select { // one at a time, in the caller's order
		case c.committing <- struct{}{}:
			defer func() { <-c.committing }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if err := c.knowTopics(ctx, commits); err != nil {
			return nil, err
		}
		r := refusals{}
		req := c.commitRequest(commits, r)
		if len(req.Topics) == 0 {
			return r, nil
		}
		resp, err := req.RequestWith(ctx, c.control)
		if err != nil {
			return nil, err
		}
		r.note(req, resp)
		return r, nil
	})
	switch {
	case errors.Is(err, ErrClosed), err != nil && ctx.Err() != nil:
		return fmt.Errorf("commit: %w", err)
	case err != nil:
		return fmt.Errorf("commit: %w", c.classify(err))
	case len(refused) > 0:
		return &driver.CommitError{Partitions: refused}
	}
	return nil
}

// knowTopics looks up the unknown IDs of the commits' topics. From version 10 on, a commit names topics only by ID, so
// that it cannot apply to another topic of the same name.
func (c *consumer) knowTopics(ctx context.Context, commits []driver.Commit) error {
	var unknown []string
	for i := range commits {
		name := commits[i].Topic
		if _, known := c.topics.id(name); !known && !slices.Contains(unknown, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	topics, _, err := c.describe(ctx, unknown)
	if err != nil {
		return err
	}
	for _, t := range topics {
		if t.Err == nil {
			c.topics.saw(t.Name, t.ID)
		}
	}
	return nil
}

// commitRequest builds the request from what this member may commit, and refuses the rest.
func (c *consumer) commitRequest(commits []driver.Commit, r refusals) *kmsg.OffsetCommitRequest {
	member, generation := c.membership.of()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation = c.cfg.GroupID, member, generation
	if c.cfg.InstanceID != "" {
		req.InstanceID = &c.cfg.InstanceID
	}
	c.assigned.mu.Lock()
	defer c.assigned.mu.Unlock()
	at := map[string]int{}
	for i := range commits {
		m := &commits[i]
		switch own := c.assigned.get(m.TopicPartition); {
		case own == nil || member == "" || own.member != member || m.Assignment > 0 && own.assignment != m.Assignment:
			r.add(m.TopicPartition, driver.KindStaleMember, errNotOwned)
			continue
		case own.recreated:
			r.add(m.TopicPartition, driver.KindTopicRecreated, errRecreated)
			continue
		}
		n, ok := at[m.Topic]
		if !ok {
			n = len(req.Topics)
			at[m.Topic] = n
			t := kmsg.NewOffsetCommitRequestTopic()
			t.Topic = m.Topic
			t.TopicID, _ = c.topics.id(m.Topic)
			req.Topics = append(req.Topics, t)
		}
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = m.Partition, m.Offset, m.LeaderEpoch, &m.Metadata
		req.Topics[n].Partitions = append(req.Topics[n].Partitions, p)
	}
	return req
}

// refusals are the partitions of a commit that were not accepted.
type refusals map[driver.TopicPartition]*driver.Error

func (r refusals) add(tp driver.TopicPartition, kind driver.Kind, err error) {
	r[tp] = &driver.Error{Kind: kind, TopicPartition: tp, Offset: -1, Err: err}
}

// note adds the partitions that the coordinator refused.
func (r refusals) note(req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse) {
	names := map[[16]byte]string{}
	for _, t := range req.Topics {
		names[t.TopicID] = t.Topic
	}
	for _, t := range resp.Topics {
		name := t.Topic
		if name == "" {
			name = names[t.TopicID] // from version 10 on a topic has only its ID
		}
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				kind := kindOf(err)
				if errors.Is(err, kerr.UnknownTopicID) {
					kind = driver.KindTopicRecreated // the ID is the one that the records were read under
				}
				r.add(driver.TopicPartition{Topic: name, Partition: p.Partition}, kind, err)
			}
		}
	}
}

// Committed asks the group's coordinator for its commits. It waits for an offset that a transaction is about to commit
// (KIP-447).
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

	answers, err := call(ctx, c, func() (map[driver.TopicPartition]driver.Committed, error) { return c.fetchCommitted(ctx, req) })
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
	resp, err := req.RequestWith(ctx, c.control)
	if err != nil {
		return nil, err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, err
	}
	answers := map[driver.TopicPartition]driver.Committed{}
	for _, g := range resp.Groups { // kgo fills it in for every version that a broker supports
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
