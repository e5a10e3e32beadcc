package franz

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/esm-go/esm/driver"
)

var (
	errNotOwned  = errors.New("this member does not own the partition")
	errRecreated = errors.New("the topic was deleted and made again, and the partition has not been started since")
	// errSettled keeps kgo from sending a commit that was sent, or of which nothing is left.
	errSettled = errors.New("the commit is settled")
)

// Commit commits positions for the group, as the member and of the generation that this consumer is then. kgo holds
// commits back while the group rebalances, keeps them in order and knows the topics' ids; partitions that this member no
// longer owns when the request leaves are refused here.
//
// The request itself is sent from kgo's hook before it, and kgo's own stopped: when the coordinator no longer knows the
// member, kgo would join anew with the partitions that it had, as if nothing had happened to them meanwhile.
func (c *consumer) Commit(ctx context.Context, commits []driver.Commit) error {
	if len(commits) == 0 {
		return nil
	}
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for _, m := range commits {
		if offsets[m.Topic] == nil {
			offsets[m.Topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[m.Topic][m.Partition] = kgo.EpochOffset{Epoch: m.LeaderEpoch, Offset: m.Offset}
	}
	refused, err := call(ctx, c, func() (map[driver.TopicPartition]*driver.Error, error) {
		r := refusals{}
		send := func(req *kmsg.OffsetCommitRequest) error {
			if err := c.prepareCommit(req, commits, r); err != nil {
				return err
			}
			if slices.ContainsFunc(req.Topics, func(t kmsg.OffsetCommitRequestTopic) bool { return t.TopicID == [16]byte{} }) {
				if old, err := c.commitsByName(ctx); err != nil || !old {
					return err // kgo alone can keep the request to a version that names topics
				}
			}
			resp, err := req.RequestWith(ctx, c.client)
			if err != nil {
				return err
			}
			r.note(req, resp)
			return errSettled
		}
		var failed error
		c.client.CommitOffsetsSync(kgo.PreCommitFnContext(ctx, send), offsets,
			func(_ *kgo.Client, req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
				if err == nil {
					r.note(req, resp)
				} else if !errors.Is(err, errSettled) {
					failed = err
				}
			})
		return r, failed
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

// commitsByName reports whether the brokers know no OffsetCommit that has topics' ids for their names, so that a request
// without ids is understood whichever version it goes out in.
func (c *consumer) commitsByName(ctx context.Context) (bool, error) {
	if v := c.commitVersion.Load(); v != 0 {
		return v < firstByID, nil
	}
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "esm", "0" // a broker refuses empty ones
	resp, err := req.RequestWith(ctx, c.client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return false, err
	}
	newest := int32(1)
	for _, k := range resp.ApiKeys {
		if k.ApiKey == int16(kmsg.OffsetCommit) {
			newest = int32(k.MaxVersion)
		}
	}
	c.commitVersion.Store(newest)
	return newest < firstByID, nil
}

// firstByID is the first version of OffsetCommit that has topics' ids for their names.
const firstByID = 10

// refusals are the partitions of a commit that were not accepted.
type refusals map[driver.TopicPartition]*driver.Error

func (r refusals) add(tp driver.TopicPartition, kind driver.Kind, err error) {
	r[tp] = &driver.Error{Kind: kind, TopicPartition: tp, Offset: -1, Err: err}
}

// note adds what the coordinator refused.
func (r refusals) note(req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse) {
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
				kind := kindOf(err)
				if errors.Is(err, kerr.UnknownTopicID) {
					kind = driver.KindTopicRecreated // kgo commits under the id that the records were read under
				}
				r.add(driver.TopicPartition{Topic: name, Partition: p.Partition}, kind, err)
			}
		}
	}
}

// prepareCommit takes out of kgo's request what this member may not commit, and adds the metadata. The error is
// errSettled when nothing is left to send.
func (c *consumer) prepareCommit(req *kmsg.OffsetCommitRequest, commits []driver.Commit, r refusals) error {
	metadata := make(map[driver.TopicPartition]string, len(commits))
	for _, m := range commits {
		metadata[m.TopicPartition] = m.Metadata
		r.add(m.TopicPartition, driver.KindTopicRecreated, errRecreated) // so it is where kgo leaves one out
	}
	topics := req.Topics
	req.Topics = nil
	c.assigned.mu.Lock()
	defer c.assigned.mu.Unlock()
	for _, t := range topics {
		parts := t.Partitions
		t.Partitions = nil
		for _, p := range parts {
			tp := driver.TopicPartition{Topic: t.Topic, Partition: p.Partition}
			switch own := c.assigned.get(tp); {
			case own == nil:
				r.add(tp, driver.KindStaleMember, errNotOwned)
			case own.recreated: // refused already
			default:
				delete(r, tp)
				text := metadata[tp]
				p.Metadata = &text
				t.Partitions = append(t.Partitions, p)
			}
		}
		if len(t.Partitions) > 0 {
			req.Topics = append(req.Topics, t)
		}
	}
	if len(req.Topics) == 0 {
		return errSettled
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
