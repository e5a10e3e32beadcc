package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// offsetsTopic stores groups: a group's coordinator is the leader of its partition of this topic.
const offsetsTopic = "__consumer_offsets"

// MoveLeader moves a partition to another leader and returns when every node knows. It needs a cluster of several
// [Nodes].
func (c *Cluster) MoveLeader(tb testing.TB, topic string, partition int32) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	if err := c.moveLeader(ctx, topic, partition); err != nil {
		tb.Fatalf("kafkatest: move the leader of %s[%d]: %v", topic, partition, err)
	}
}

// MoveCoordinator moves a group to another coordinator and returns when the brokers name it. It needs a cluster of
// several [Nodes].
func (c *Cluster) MoveCoordinator(tb testing.TB, group string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	if err := c.moveCoordinator(ctx, group); err != nil {
		tb.Fatalf("kafkatest: move the coordinator of group %s: %v", group, err)
	}
}

// moveLeader makes another replica the preferred one and elects it.
func (c *Cluster) moveLeader(ctx context.Context, topic string, partition int32) error {
	was, replicas, err := c.leader(ctx, topic, partition)
	if err != nil {
		return err
	}
	next := slices.IndexFunc(replicas, func(r int32) bool { return r != was })
	if next < 0 {
		return fmt.Errorf("node %d has the only replica: start the cluster with Nodes(3)", was)
	}
	heir := replicas[next]
	replicas[0], replicas[next] = replicas[next], replicas[0]
	var order kadm.AlterPartitionAssignmentsReq
	order.Assign(topic, partition, replicas)
	if got, err := c.adm.AlterPartitionAssignments(ctx, order); err != nil || got.Error() != nil {
		return fmt.Errorf("reorder the replicas: %w", errors.Join(err, got.Error()))
	}
	var one kadm.TopicsSet
	one.Add(topic, partition)
	return poll(ctx, func(ctx context.Context) error {
		got, err := c.adm.ElectLeaders(ctx, kadm.ElectPreferredReplica, one)
		if err == nil {
			err = got[topic][partition].Err
		}
		if err != nil && !errors.Is(err, kerr.ElectionNotNeeded) {
			return err
		}
		return c.allSee(ctx, topic, partition, heir)
	})
}

// leader returns a partition's leader and replicas.
func (c *Cluster) leader(ctx context.Context, topic string, partition int32) (leader int32, replicas []int32, err error) {
	err = poll(ctx, func(ctx context.Context) error {
		m, err := c.adm.Metadata(ctx, topic)
		if err != nil {
			return err
		}
		p, ok := m.Topics[topic].Partitions[partition]
		if !ok {
			return errors.Join(errors.New("no such partition"), m.Topics[topic].Err)
		}
		leader, replicas = p.Leader, slices.Clone(p.Replicas)
		return p.Err
	})
	return leader, replicas, err
}

// allSee fails while a node's own metadata does not name this leader, because a test's next move would start from that
// metadata.
func (c *Cluster) allSee(ctx context.Context, topic string, partition, leader int32) error {
	for _, n := range c.nodes {
		req := kmsg.NewPtrMetadataRequest()
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &topic
		req.Topics = append(req.Topics, t)
		resp, err := c.kgo.Broker(n.id).Request(ctx, req)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(resp.(*kmsg.MetadataResponse).Topics, func(t kmsg.MetadataResponseTopic) bool {
			return slices.ContainsFunc(t.Partitions, func(p kmsg.MetadataResponseTopicPartition) bool {
				return p.Partition == partition && p.Leader == leader
			})
		}) {
			return fmt.Errorf("node %d does not see the leader %d yet", n.id, leader)
		}
	}
	return nil
}

func (c *Cluster) moveCoordinator(ctx context.Context, group string) error {
	was, err := c.coordinator(ctx, group)
	if err != nil {
		return err
	}
	m, err := c.adm.Metadata(ctx, offsetsTopic)
	if err != nil {
		return err
	}
	// One of these partitions is the group's.
	for _, p := range m.Topics[offsetsTopic].Partitions.Sorted() {
		if p.Leader != was {
			continue
		}
		if err := c.moveLeader(ctx, offsetsTopic, p.Partition); err != nil {
			return err
		}
	}
	return poll(ctx, func(ctx context.Context) error {
		is, err := c.coordinator(ctx, group)
		if err == nil && is == was {
			err = fmt.Errorf("still node %d", is)
		}
		return err
	})
}

func (c *Cluster) coordinator(ctx context.Context, group string) (int32, error) {
	found := c.adm.FindGroupCoordinators(ctx, group)
	return found[group].NodeID, errors.Join(found.Error(), found[group].Err)
}
